import { describe, expect, test } from 'bun:test';
import { campaign, descriptors } from './campaign.ts';
import { until } from './client.ts';
import { FAIR } from './fair-requests.ts';
import { REFUSALS } from './hostile-requests.ts';
import { read } from './model.ts';

describe('the second opinion', () => {
  test.each(REFUSALS.map(({ name, bytes }) => [name, bytes] as const))('refuses %s', (_, bytes) => {
    const { served, rest, uncertainFrom } = read(Buffer.from(bytes, 'latin1'));
    // What RFC 9112 leaves open it may read, but never without a doubt.
    expect(served.slice(0, uncertainFrom)).toEqual([]);
    if (served.length === 0) expect(['bad', 'incomplete']).toContain(rest);
  });

  test.each(FAIR.map((one) => [one.name, one] as const))('serves %s', (_, { bytes, sees, closes }) => {
    const { served, rest, uncertainFrom } = read(Buffer.from(bytes, 'latin1'));
    expect(served).toEqual(sees.map(({ method, target, body }) => ({ method, target, body })));
    expect(rest).toBe(closes ? 'closed' : 'none');
    // Of a trailer with any other name it can't know whether it is allowed.
    if (!bytes.includes('\r\ny:2')) expect(uncertainFrom).toBe(Number.POSITIVE_INFINITY);
  });
});

const STREAMS = 6000;
const SEED = 20_240_607;

test('of random streams replicas see what a strict reading allows; nothing is left behind', async () => {
  // The first brings what stays open for the life of the process.
  await campaign(200, 1);
  const before = descriptors();
  const outcome = await campaign(STREAMS, SEED);
  expect(outcome.failures).toEqual([]);
  expect(outcome.served).toBeGreaterThan(STREAMS / 2);
  expect(outcome.refused).toBeGreaterThan(STREAMS / 10);
  await until('all descriptors are closed', () => descriptors() <= before);
  expect(descriptors()).toBe(before);
});
