import { expect, test } from 'bun:test';
import { digestOf, sourceOf } from '../../src/fleet/digest.ts';
import { Ring } from '../../src/ring/ring.ts';

const ring = sourceOf(Ring.of(['a', 'b', 'c']));

test('the same replicas have the same digest, in whatever order they came', () => {
  expect(digestOf(sourceOf(Ring.of(['c', 'a', 'b'])))).toBe(digestOf(ring));
  expect(digestOf({ ...ring, replicas: ring.replicas.toReversed() })).toBe(digestOf(ring));
  expect(digestOf(ring)).toMatch(/^[0-9a-f]{64}$/);
});

test.each([
  ['another name', { ...ring, replicas: [{ name: 'a', weight: 1 }] }],
  ['another weight', { ...ring, replicas: ring.replicas.map((one) => ({ ...one, weight: 2 })) }],
  ['another algorithm', { ...ring, algorithm: 'maglev' }],
  ['other points', { ...ring, points: 512 }],
  ['names that only look alike when they are joined', { ...ring, replicas: [{ name: 'a,b,c', weight: 1 }] }],
])('%s makes another digest', (_, other) => {
  expect(digestOf(other)).not.toBe(digestOf(ring));
});
