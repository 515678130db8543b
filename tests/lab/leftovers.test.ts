import { describe, expect, test } from 'bun:test';
import { clearedText, type Cleared } from '../../src/lab/leftovers.ts';

const NONE: Cleared = { containers: 0, networks: 0, clusters: [], unknown: [], failed: [] };
const of = (pid: number): string => `lab-${pid}-abc123000-ring`;
const command = (cluster: string): string =>
  `  docker rm -fv $(docker ps -aq --filter label=ringmaster.cluster=${cluster}); docker network prune -f --filter label=ringmaster.cluster=${cluster}`;

describe('what is said of leftovers', () => {
  test.each<[string, Partial<Cleared>, string[]]>([
    ['nothing where there are none', {}, []],
    [
      'one line of one lab',
      { containers: 3, networks: 1, clusters: [of(1)] },
      [`removed what a lab that was killed had left: 3 containers and 1 network of ${of(1)}`],
    ],
    [
      'one line of several labs',
      { containers: 1, networks: 2, clusters: [of(1), of(2)] },
      [`removed what labs that were killed had left: 1 container and 2 networks of ${of(1)}, ${of(2)}`],
    ],
    [
      'no kind of which there was none',
      { networks: 1, clusters: [of(1)] },
      [`removed what a lab that was killed had left: 1 network of ${of(1)}`],
    ],
    ['what did not go, and why', { failed: ['it is still there'] }, ['it is still there']],
    [
      'of some of those that are not certain how to remove them',
      { unknown: [1, 2, 3, 4, 5, 6, 7].map(of) },
      [
        'left alone, since from here it can not be told whether these labs run. What removes it where they do not:',
        ...[1, 2, 3, 4, 5].map((pid) => command(of(pid))),
        '  and 2 more in the same way',
      ],
    ],
  ])('%s', (_, cleared, lines) => {
    expect(clearedText({ ...NONE, ...cleared })).toBe(lines.map((line) => `${line}\n`).join(''));
  });
});
