import { NAME_PATTERN } from '../config.ts';

/** What replicas of one runtime may be called, and when two names are one. */
export interface Naming {
  /** What a name is, for who sent something else: the end of a sentence that begins with "A hostname is". */
  readonly rule: string;
  /** When two names are two, for who sent one twice: the end of a sentence that begins with "names must differ". */
  readonly difference: string;
  /** Whether a replica may join under that name. */
  allows(name: string): boolean;
  /** The same text for names that no two replicas may have at once. */
  identity(name: string): string;
  /**
   * The server of that name as the configuration of another balancer writes it, for maps that are to be the same as its
   * own; undefined: the name says it.
   */
  label?(name: string): string;
  /** A name for one that comes without, by number; undefined where only the caller knows which server is meant. */
  readonly generated: ((number: number) => string) | undefined;
}

const NAME = new RegExp(NAME_PATTERN);

/** Names of replicas that are started: any will do, since what is started is given it. */
export const startedNaming: Naming = {
  rule: '1 to 63 letters, digits, "_", "." or "-", and begins with a letter or digit',
  difference: 'without regard to case',
  allows: (name) => NAME.test(name),
  identity: foldName,
  generated: (number) => `server-${number}`,
};

/** As above, of replicas that listen on `port` and that others know by their names there, as on a network of an engine. */
export function networkNaming(port: number): Naming {
  return { ...startedNaming, label: (name) => `${name}:${port}` };
}

/** DNS and some file systems do not tell case apart, so neither may two replicas. */
export function foldName(name: string): string {
  return name.toLowerCase();
}
