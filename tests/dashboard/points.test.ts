import { describe, expect, test } from 'bun:test';
import { POINTS_REPLICAS_MAX, pointsOf, type DrawnPoints } from '../../src/dashboard/points.ts';
import { Ring } from '../../src/ring/ring.ts';

/** As a browser reads them, which has no Buffer. */
function read({ names, positions, owners }: DrawnPoints): [number, string][] {
  const view = (text: string): DataView =>
    new DataView(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
  const [at, whose] = [view(positions), view(owners)];
  expect(at.byteLength).toBe(2 * whose.byteLength);
  return Array.from({ length: at.byteLength / 4 }, (_, i) => [
    at.getUint32(4 * i, true),
    names[whose.getUint16(2 * i, true)] as string,
  ]);
}

const servers = (count: number): string[] => Array.from({ length: count }, (_, i) => `server-${i + 1}`);

describe('the points of a ring, for the page,', () => {
  test.each([0, 1, 3, 64, POINTS_REPLICAS_MAX])(
    'of %d replicas are those of the ring, in its order',
    (count) => {
      const ring = Ring.of(servers(count));
      const points = pointsOf(ring) as DrawnPoints;
      expect(points.names).toEqual(ring.names);
      expect(read(points)).toEqual(Array.from(ring.entries(), ([position, name]) => [position, name]));
    },
  );

  test('are little-endian, whatever the machine is', () => {
    const ring = Ring.of(['a', 'b'], (name) => Uint32Array.of(name === 'a' ? 0x01020304 : 0xfffefdfc));
    expect(pointsOf(ring)).toEqual({
      names: ['a', 'b'],
      positions: btoa('\x04\x03\x02\x01\xfc\xfd\xfe\xff'),
      owners: btoa('\0\0\x01\0'),
    });
  });

  test('where they meet begin with the owner’s', () => {
    const ring = Ring.of(['b', 'a'], () => Uint32Array.of(7));
    expect(read(pointsOf(ring) as DrawnPoints)).toEqual([
      [7, 'a'],
      [7, 'b'],
    ]);
  });

  test('are not told of more replicas than can be drawn', () => {
    expect(pointsOf(Ring.of(servers(POINTS_REPLICAS_MAX + 1)))).toBeUndefined();
  });

  test('take up no more than 2.1 MB', () => {
    const { positions, owners } = pointsOf(Ring.of(servers(POINTS_REPLICAS_MAX))) as DrawnPoints;
    expect(positions.length + owners.length).toBeLessThan(2_100_000);
  });
});
