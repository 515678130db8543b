import { describe, expect, test } from 'bun:test';
import { PREFERENCE_MAX, probe } from '../../src/dashboard/probe.ts';
import { hash32 } from '../../src/ring/hash.ts';
import { Ring } from '../../src/ring/ring.ts';

const servers = (count: number): string[] => Array.from({ length: count }, (_, i) => `server-${i + 1}`);

describe('a probe', () => {
  test.each(['', '42', 'alice@example.com', 'ключ', '\ud800', 'k'.repeat(10_000)])(
    'of %j tells what the ring does with it',
    (key) => {
      const ring = Ring.of(servers(5));
      const { position, point, owner, preference } = probe(ring, key);
      expect(position).toBe(hash32(key));
      expect([owner, preference]).toEqual([ring.owner(key) as string, ring.preference(key)]);
      // The first point at or after the key, or else the first of all.
      const entries = [...ring.entries()];
      expect([point, owner]).toEqual([...(entries.find(([at]) => at >= position) ?? entries[0])!]);
    },
  );

  test('goes across zero', () => {
    const ring = Ring.of(['a', 'b'], (name) => Uint32Array.of(name === 'a' ? 0 : 1));
    expect(probe(ring, '42')).toEqual({
      position: hash32('42'),
      point: 0,
      owner: 'a',
      preference: ['a', 'b'],
    });
  });

  test('finds nobody where there is nobody', () => {
    expect(probe(Ring.of([]), '42')).toEqual({
      position: hash32('42'),
      point: null,
      owner: null,
      preference: [],
    });
  });

  test(`tells the first ${PREFERENCE_MAX} of a long failover order`, () => {
    const ring = Ring.of(servers(100));
    expect(probe(ring, '7').preference).toEqual(ring.preference('7').slice(0, PREFERENCE_MAX));
  });
});
