import { expect, test } from 'bun:test';
import type { LoadFigures } from './load.ts';
import { courseOf, disturbanceTexts, ratioOf } from './rounds.ts';

const round: LoadFigures = {
  requests: 20_000,
  seconds: 2,
  p50Ms: 1,
  p99Ms: 4,
  cpu: { seconds: 0.5, userSeconds: 0.1 },
  othersCores: 0,
  errors: 0,
  firstError: undefined,
};

test('a course tells of each round, and of errors in all', () => {
  const bad = { ...round, requests: 10_000, errors: 2, firstError: 'status 502' };
  expect(courseOf('x', [round, bad, { ...bad, firstError: 'later' }])).toEqual({
    name: 'x',
    requestsPerSecond: [10_000, 5000, 5000],
    p50Ms: [1, 1, 1],
    p99Ms: [4, 4, 4],
    cpuMicros: [25, 50, 50],
    userMicros: [5, 10, 10],
    busy: [0.25, 0.25, 0.25],
    othersCores: [0, 0, 0],
    errors: 4,
    firstError: 'status 502',
  });
});

test('CPU time that is unknown in one round is unknown', () => {
  const { cpuMicros, userMicros, busy } = courseOf('x', [round, { ...round, cpu: undefined }]);
  expect([cpuMicros, userMicros, busy]).toEqual([undefined, undefined, undefined]);
});

test('ratios are those of one round, so that what disturbed a round disturbs none of them', () => {
  // All of the second round took five times as long.
  expect(ratioOf([8, 40, 9], [10, 50, 10])).toBe(0.8);
});

test('what was not measured has no ratio', () => {
  expect(ratioOf(undefined, [1])).toBeUndefined();
  expect(ratioOf([1], undefined)).toBeUndefined();
});

test('what others do with the machine is told, once', () => {
  const disturbed = courseOf('x', [{ ...round, othersCores: 0.5 }, round]);
  expect(disturbanceTexts([disturbed, disturbed])).toEqual([expect.stringContaining('2 of 4 measurements')]);
  expect(disturbanceTexts([courseOf('x', [round])])).toEqual([]);
  expect(disturbanceTexts([courseOf('x', [{ ...round, othersCores: undefined }])])).toEqual([]);
});
