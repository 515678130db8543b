import { soaksForAMinute } from './soak.suite.ts';

soaksForAMinute('docker', 2, 4);
