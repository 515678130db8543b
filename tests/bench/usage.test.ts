import { expect, test } from 'bun:test';
import { parseMachineSeconds, parseRssBytes, parseStat } from './usage.ts';

/** From a 6.x kernel; the 14th and 15th fields are user and system time. */
const AFTER_NAME =
  'S 41 4242 4242 0 -1 4194304 3571 0 0 0 1250 375 7 9 20 0 1 0 8837 71233536 2222 18446744073709551615 1 1';

test.each(['nginx', 'a b', 'x) R 1 (', ')'])('a process named %j does not shift the fields', (name) => {
  expect(parseStat(`4242 (${name}) ${AFTER_NAME}`)).toEqual({
    parent: 41,
    userSeconds: 12.5,
    systemSeconds: 3.75,
  });
});

test('resident memory is in kilobytes of 1024', () => {
  expect(parseRssBytes('Name:\tnginx\nVmHWM:\t   99999 kB\nVmRSS:\t   12345 kB\nRssAnon:\t 7 kB\n')).toBe(
    12_641_280,
  );
});

test('a process that has ended has none', () => {
  expect(parseRssBytes('Name:\tnginx\nState:\tZ (zombie)\n')).toBe(0);
});

test('a machine is busy but for idle time and waiting for disks', () => {
  expect(parseMachineSeconds('cpu  100 20 300 99999 88888 4 6 70 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toBe(5);
});
