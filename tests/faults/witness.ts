/** When things happened: by the engine's own events, and by Ringmaster's own log. All times in ms since 1970. */
import { eventually, type Spawned } from '../spawned.ts';

/** One event of a container of the cluster. */
export interface EngineEvent {
  readonly atMs: number;
  readonly action: string;
  readonly container: string;
}

interface LogLine {
  readonly time: number;
  readonly msg: string;
  readonly replica?: string;
  readonly why?: string;
}

const OFF = 'replica is off the ring';
const ON = 'replica is on the ring';
const NS_PER_MS = 1e6;

/** Follows the engine's events from its opening to its end. */
export class EngineWitness {
  readonly events: EngineEvent[] = [];
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'ignore'>;

  private constructor(child: Bun.Subprocess<'ignore', 'pipe', 'ignore'>) {
    this.#child = child;
    void this.#read();
  }

  static open(cluster: string, dockerHost?: string): EngineWitness {
    const host = dockerHost === undefined ? [] : ['--host', dockerHost];
    // From now on, also where the subscription takes a moment: the engine keeps the last of them.
    const since = String(Math.floor(Date.now() / 1000));
    const filter = ['--filter', `label=ringmaster.cluster=${cluster}`];
    return new EngineWitness(
      Bun.spawn(['docker', ...host, 'events', '--since', since, ...filter, '--format', '{{json .}}'], {
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'ignore',
      }),
    );
  }

  /** Times of an action, of the container that is a replica's or becomes it. */
  times(action: string, replica: string): number[] {
    return this.events
      .filter((event) => event.action === action && new RegExp(`[-]${replica}$`).test(event.container))
      .map((event) => event.atMs);
  }

  async end(): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { Action, timeNano, Actor } = JSON.parse(line) as {
          Action: string;
          timeNano: number;
          Actor: { Attributes: { name?: string } };
        };
        this.events.push({
          atMs: timeNano / NS_PER_MS,
          action: Action,
          container: Actor.Attributes.name ?? '',
        });
      }
    }
  }
}

/** The first time from `sinceMs` on that a replica left the ring, by Ringmaster's log; waits for it. */
export function leftRing(ringmaster: Spawned, replica: string, sinceMs: number): Promise<number> {
  return firstTime(ringmaster, OFF, replica, sinceMs);
}

/** The first time from `sinceMs` on that a replica came onto the ring. */
export function joinedRing(ringmaster: Spawned, replica: string, sinceMs: number): Promise<number> {
  return firstTime(ringmaster, ON, replica, sinceMs);
}

/** Who has left the ring from `sinceMs` on, in order. */
export function departures(ringmaster: Spawned, sinceMs: number): string[] {
  return linesOf(ringmaster)
    .filter(({ msg, time }) => msg === OFF && time >= sinceMs)
    .map(({ replica = '', why }) => `${replica}: ${why}`);
}

async function firstTime(
  ringmaster: Spawned,
  message: string,
  replica: string,
  sinceMs: number,
): Promise<number> {
  let found: LogLine | undefined;
  await eventually(() => {
    found = linesOf(ringmaster).find(
      (line) => line.msg === message && line.replica === replica && line.time >= sinceMs,
    );
    return found !== undefined;
  });
  return (found as LogLine).time;
}

function linesOf(ringmaster: Spawned): LogLine[] {
  return ringmaster
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine);
}
