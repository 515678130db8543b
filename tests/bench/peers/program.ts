import type { Command } from '../stage.ts';

/** What a program is set up with. */
export interface Place {
  /** Where its files go. */
  readonly dir: string;
  /** One for each of its entrances. */
  readonly ports: readonly number[];
  readonly upstreams: readonly Upstream[];
  readonly version: string;
  /** Open files that it may have. */
  readonly filesMax: number;
}

export interface Upstream {
  readonly name: string;
  readonly port: number;
}

export interface SetUp extends Command {
  /** Text by name, in `dir`. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A proxy that spreads requests over replicas by hashing their id, on one core and at its best. */
export interface Program {
  readonly name: string;
  /** Names of the ports that it is measured at. */
  readonly entrances: readonly string[];
  /** As it says itself; undefined where this machine does not have it. */
  version(): string | undefined;
  setUp(place: Place): SetUp;
}

/** Upstream connections that are kept, more than the load has connections. */
export const UPSTREAM_KEEPALIVE_CONNECTIONS = 256;

/** The first version number in what a command prints; undefined where there is no such command. */
export function versionOf(argv: readonly string[]): string | undefined {
  if (Bun.which(argv[0] ?? '') === null) return undefined;
  const { stdout, stderr } = Bun.spawnSync([...argv]);
  return /\d+\.\d+(?:\.\d+)?/.exec(`${stdout.toString()}${stderr.toString()}`)?.[0];
}
