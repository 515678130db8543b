import { expect, test } from 'bun:test';
import { partingLine, type Parting } from '../src/announce.ts';

const parting: Parting = { runtime: 'docker', onExit: 'remove', members: 3, left: 3 };

test.each<[Partial<Parting>, boolean, string]>([
  [{}, true, 'draining… removed 3 replicas'],
  [{ members: 1, left: 1 }, true, 'draining… removed 1 replica'],
  [{ members: 0, left: 0 }, true, 'draining… nothing to remove'],
  [{ left: 0 }, false, 'draining…'],
  [{ left: 2 }, false, 'draining… removed 2 of 3 replicas'],
  [{ left: 2 }, true, 'draining… removed 2 of 3 replicas'],
  [{ left: 0 }, true, 'draining… removed none of 3 replicas'],
  [{ left: 0, onExit: 'keep' }, true, 'draining… kept 3 replicas for the next start'],
  [{ onExit: 'keep', runtime: 'process' }, true, 'draining… removed 3 replicas'],
  [{ runtime: 'static' }, true, 'draining… let go of 3 servers'],
  [{ left: 0, runtime: 'swarm' }, true, 'draining… left 3 replicas to the other Ringmasters'],
  [{ left: 0, runtime: 'swarm', onExit: 'keep' }, true, 'draining… kept 3 replicas for the next start'],
])('of an end with %j, over: %p, is said: %s', (more, over, line) => {
  expect(partingLine({ ...parting, ...more }, over)).toBe(line);
});
