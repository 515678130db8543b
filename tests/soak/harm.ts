import { Chance } from '../fleet/chance.ts';
import type { Director } from '../faults/director.ts';
import { workersOf } from '../processes.ts';
import { eventually, type Spawned } from '../spawned.ts';
import type { Members } from './members.ts';
import type { Place } from './place.ts';
import type { FaultDone } from './report.ts';
import type { Step } from './schedule.ts';

/** How long something lasts that ends by itself. */
const PAUSE_MS = 2000;
const MISBEHAVES_MS = 8000;
const ENGINE_GONE_MS = 5000;
const STANDSTILL_MS = 3000;
/** What is not healed by then is not healed. */
const HEAL_LIMIT_MS = 90_000;
/** For a request that is asked to see whether all is well. */
const LOOK_LIMIT_MS = 5000;
const WORKER_ACCEPTS = '"msg":"worker accepts connections"';
/** A replica that was to be harmed may have just left. */
const VICTIMS_MAX = 20;

export interface HarmOptions {
  readonly ringmaster: Spawned;
  readonly place: Place;
  readonly director: Director;
  readonly members: Members;
}

/** Does harm, one thing after the other, and sees how long it takes until all is well again. */
export class Harm {
  /** Counts up where the engine goes, and where it comes back. */
  engineTurns = 0;
  /** Whether connections of clients may break. */
  breaks = false;
  #workersKilled = 0;
  readonly #options: HarmOptions;

  constructor(options: HarmOptions) {
    this.#options = options;
  }

  /** Resolves when that is over and all is well, or will not be. */
  async inflict({ fault, atMs, seed }: Step): Promise<FaultDone | undefined> {
    if (fault === undefined) return undefined;
    this.breaks = fault === 'worker killed';
    const whom = await this.#inflict(fault, new Chance(seed));
    const overMs = performance.now();
    const healed = await withinLimit(eventually(() => this.#well()));
    this.breaks = false;
    return { fault, whom, atMs, healedMs: healed ? performance.now() - overMs : undefined };
  }

  async #inflict(fault: NonNullable<Step['fault']>, chance: Chance): Promise<string> {
    const { ringmaster, place, director } = this.#options;
    switch (fault) {
      case 'kill':
      case 'stop':
      case 'pause':
      case 'remove':
        return this.#victim(chance, (replica) => place[fault](replica));
      case 'pause and resume': {
        const replica = await this.#victim(chance, (one) => place.pause(one));
        await Bun.sleep(PAUSE_MS);
        await place.resume(replica).catch(() => {});
        return replica;
      }
      case 'fails':
      case 'hangs': {
        const replica = await this.#victim(chance, (one) => director.tell(one, fault));
        await Bun.sleep(MISBEHAVES_MS);
        director.tell(replica, 'well');
        return replica;
      }
      case 'worker killed': {
        const victim = chance.pick(await workersOf(ringmaster.pid)) ?? 0;
        process.kill(victim, 'SIGKILL');
        this.#workersKilled++;
        return `pid ${victim}`;
      }
      case 'engine gone': {
        this.engineTurns++;
        place.engine(false);
        const replica = await this.#victim(chance, (one) => place.kill(one));
        await Bun.sleep(ENGINE_GONE_MS);
        place.engine(true);
        this.engineTurns++;
        return replica;
      }
      case 'standstill':
        ringmaster.signal('SIGSTOP');
        await Bun.sleep(STANDSTILL_MS);
        ringmaster.signal('SIGCONT');
        return '';
      default:
        throw new Error(`no such fault: ${fault satisfies never}`);
    }
  }

  async #victim(chance: Chance, act: (replica: string) => unknown): Promise<string> {
    for (let i = 1; ; i++) {
      const replica = chance.pick(this.#options.members.staying) ?? '';
      try {
        await act(replica);
        return replica;
      } catch (error) {
        if (i === VICTIMS_MAX) throw error;
      }
    }
  }

  /** Whether each member serves what is its own, on both ports, and every worker that was killed has its successor. */
  async #well(): Promise<boolean> {
    const { ringmaster, members } = this.#options;
    if (ringmaster.output().split(WORKER_ACCEPTS).length <= this.#workersKilled) return false;
    const looks = [...members.idsOfStaying()].flatMap(([name, id]) =>
      [ringmaster.url, ringmaster.traffic].map(async (base) => {
        const signal = AbortSignal.timeout(LOOK_LIMIT_MS);
        const reply = await fetch(`${base}/home?id=${id}`, { signal, keepalive: false });
        await reply.arrayBuffer();
        return reply.status === 200 && reply.headers.get('x-served-by') === name;
      }),
    );
    return (await Promise.all(looks)).every(Boolean);
  }
}

async function withinLimit(promise: Promise<void>): Promise<boolean> {
  let timer: Timer | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), HEAL_LIMIT_MS);
  });
  const done = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return done;
}
