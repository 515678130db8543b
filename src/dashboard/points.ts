import type { Ring } from '../ring/ring.ts';
export const POINTS_REPLICAS_MAX = 256;
export function pointsOf(ring: Ring): { names: string[]; positions: string; owners: string } | undefined {
  if (ring.names.length > POINTS_REPLICAS_MAX) return undefined;
  const all = [...ring.entries()];
  const idx = new Map(ring.names.map((n, i) => [n, i]));
  const p = new Uint32Array(all.map(([x]) => x));
  const o = new Uint16Array(all.map(([, n]) => idx.get(n)!));
  return {
    names: [...ring.names],
    positions: Buffer.from(p.buffer).toString('base64'),
    owners: Buffer.from(o.buffer).toString('base64'),
  };
}
