import type { Explain } from '../../src/traffic/explained.ts';

/** Says of every key the same of these replicas, which are asked in their order: what was asked before was passed over. */
export function told(names: readonly string[]): Explain {
  return (key, except) => ({
    key,
    hash: 0xbeef,
    algorithm: 'ring',
    position: 48_879,
    positions: 2 ** 32,
    point: 50_000,
    home: names[0],
    owner: names[0],
    goesTo: names.find((name) => except?.has(name) !== true),
    preference: names,
    passedOver: [...(except ?? [])].map((replica) => ({ replica, reason: 'asked before', detail: '' })),
    spreadOver: undefined,
  });
}

export const FIELDS = [
  'x-ringmaster-key-hash',
  'x-ringmaster-position',
  'x-ringmaster-owner',
  'x-ringmaster-preference',
  'x-ringmaster-passed-over',
] as const;

/** What the five fields of a reply say, each as the list of its values. */
export function saidBy(reply: { values(name: string): string[] }): string[][] {
  return FIELDS.map((name) => reply.values(name));
}

/** What they say where `told` speaks. */
export function saying(names: readonly string[], passedOver = ''): string[][] {
  return [['0000beef'], ['48879'], [names[0] ?? ''], [names.join(', ')], [passedOver]];
}

export const SAYING_NOTHING: string[][] = FIELDS.map(() => []);

/** A replica's own idea of what they say. */
export const CLAIMED = FIELDS.map((name) => `${name.toUpperCase()}: claimed\r\n`).join('');
