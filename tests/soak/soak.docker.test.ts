import { soaks } from './soak.suite.ts';

soaks({ runtime: 'docker', workers: 2, seed: 4, minutes: 1, changes: 6, faults: 2 });
