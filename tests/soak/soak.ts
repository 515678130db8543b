/** Ringmaster under steady load on both ports, while members change and things break. */
import { SteadyLoad, type LoadOptions } from '../faults/steady-load.ts';
import { Director } from '../faults/director.ts';
import { treeOf } from '../bench/usage.ts';
import { descriptorsOf, gone, workersOf } from '../processes.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { Harm } from './harm.ts';
import { Members, MEMBERS_MIN } from './members.ts';
import { placeOf, type Place, type PlaceKind } from './place.ts';
import type { FaultDone, PortFigures, Report } from './report.ts';
import { Samples } from './samples.ts';
import { scheduleOf, type Fault, type Step } from './schedule.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly runtime: PlaceKind;
  readonly workers: number;
  readonly seed: number;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
  /** Told of each step in a line. */
  readonly tell: (line: string) => void;
  /** Given what Ringmaster has logged, at the end. */
  readonly keepLog?: (text: string) => Promise<unknown>;
}

/** Of each port. */
const CLIENTS = 6;
/** What each takes for itself after a reply: most of the machine is left to others. */
const CLIENT_PAUSE_MS = 10;
const POST_EVERY = 4;
/** For replies of each port before anything is counted. */
const WARM_UP_REPLIES = 500;
/** What the director knows of arrivals is of no use here but for POSTs. */
const FORGET_INTERVAL_MS = 2000;
/** For connections to close whose other ends are gone. */
const SETTLE_LIMIT_MS = 60_000;
const WARM_UP_SETTLE_MS = 1000;
const SETTLE_POLL_MS = 100;
/** So that a replica which hangs is seen to. */
const REPLY_HEADER_TIMEOUT_MS = 1000;

export async function soak(options: SoakOptions): Promise<Report> {
  const director = await Director.open();
  let pid = 0;
  const place = placeOf(options.runtime, () => pid);
  try {
    const ringmaster = await spawnRingmaster(
      {
        ...place.env,
        WORKERS: String(options.workers),
        REPLICAS: String(MEMBERS_MIN),
        REPLICA_COMMAND: await place.command(director.port),
        REPLY_HEADER_TIMEOUT_MS: String(REPLY_HEADER_TIMEOUT_MS),
      },
      // Ctrl-C on a terminal is for who began all of this, and ends it in order.
      ['setsid', process.execPath, '--no-orphans', 'src/main.ts'],
    );
    ({ pid } = ringmaster);
    try {
      return await new Run(options, place, director, ringmaster).run();
    } finally {
      ringmaster.signal('SIGCONT');
      await ringmaster.end('SIGKILL');
      await options.keepLog?.(ringmaster.output());
    }
  } finally {
    await place.clean();
    director.close();
  }
}

class Run {
  readonly #harm: Harm;
  readonly #members: Members;

  constructor(
    readonly options: SoakOptions,
    readonly place: Place,
    readonly director: Director,
    readonly ringmaster: Spawned,
  ) {
    const first = Array.from({ length: MEMBERS_MIN }, (_, i) => `server-${i + 1}`);
    this.#members = new Members(ringmaster.url, first, () => this.#harm.engineTurns);
    this.#harm = new Harm({ ringmaster, place, director, members: this.#members });
  }

  async run(): Promise<Report> {
    const { options, ringmaster, director } = this;
    const { runtime, workers, seed, signal } = options;
    const start = await this.#warmUp();
    const beganMs = performance.now();
    const samples = new Samples(ringmaster.pid);
    const forgetting = setInterval(() => this.#forget(), FORGET_INTERVAL_MS);
    const ports = [
      new Clients('5000', ringmaster.url, this.#load),
      new Clients('8080', ringmaster.traffic, this.#load),
    ];
    const faults = await this.#steps(beganMs);
    const seconds = (performance.now() - beganMs) / 1000;
    const processes = samples.end();
    clearInterval(forgetting);
    await Promise.all(ports.map((port) => port.end()));
    await this.#members.empty();
    const end = await this.#settled(start);
    const pids = treeOf(ringmaster.pid);
    const exitStatus = await ringmaster.end('SIGTERM');
    return {
      seed,
      runtime,
      workers,
      seconds,
      interrupted: signal.aborted,
      ports: ports.map((port) => port.figures),
      arrived: director.posts.size,
      doubled: [...director.posts.values()].filter((times) => times > 1).length,
      changes: this.#members.changes,
      refused: this.#members.refused,
      wrong: this.#members.wrong,
      faults,
      processes,
      descriptors: { start, end },
      bugs: ringmaster.output().split('\n').filter(isBug),
      exitStatus,
      left: [...(await leftOf(pids)), ...(await this.place.left())],
    };
  }

  /**
   * Gives how many descriptors are open without replicas, of which each has connections. What is only opened with its
   * first use is no leak.
   */
  async #warmUp(): Promise<number> {
    const current = (): ReadonlySet<string> => this.#members.current;
    const loads = [this.ringmaster.url, this.ringmaster.traffic].map(
      (url) => new SteadyLoad({ port: portOf(url), clients: CLIENTS, pauseMs: CLIENT_PAUSE_MS, current }),
    );
    await Promise.all(loads.map((load) => load.more(WARM_UP_REPLIES)));
    await this.#members.change(0);
    this.#members.changes = 0;
    await Promise.all(loads.map((load) => load.end()));
    await this.#members.empty();
    const open = await this.#settled(0, WARM_UP_SETTLE_MS);
    await this.#members.refill();
    return open;
  }

  get #load(): Omit<LoadOptions, 'port'> {
    return {
      clients: CLIENTS,
      pauseMs: CLIENT_PAUSE_MS,
      current: () => this.#members.current,
      sendsAgain: () => this.#harm.breaks,
      postEvery: POST_EVERY,
    };
  }

  #forget(): void {
    for (const name of this.#members.current) this.director.arrivedAt(name);
  }

  /** Changes wait for changes, and faults for faults. */
  async #steps(beganMs: number): Promise<FaultDone[]> {
    const { minutes, workers, seed, signal, tell } = this.options;
    const possible: Fault[] = [...this.place.faults, 'standstill'];
    if (workers > 1) possible.push('worker killed');
    const durationMs = minutes * 60_000;
    const steps = scheduleOf(seed, durationMs, possible);
    const due = async (atMs: number): Promise<boolean> => {
      await sleep(beganMs + atMs - performance.now(), signal);
      return !signal.aborted;
    };
    const inTurn = async (
      mine: (step: Step) => boolean,
      act: (step: Step) => Promise<void>,
    ): Promise<void> => {
      for (const step of steps.filter(mine)) {
        if (!(await due(step.atMs))) return;
        await act(step);
      }
    };
    const faults: FaultDone[] = [];
    await Promise.all([
      due(durationMs),
      inTurn(
        ({ fault }) => fault === undefined,
        async ({ seed: own }) => {
          await this.#members.change(own);
          tell(`${clock(beganMs)} members: ${[...this.#members.current].join(' ')}`);
        },
      ),
      inTurn(
        ({ fault }) => fault !== undefined,
        async (step) => {
          tell(`${clock(beganMs)} ${step.fault}`);
          const done = await this.#harm.inflict(step);
          if (done === undefined) return;
          faults.push(done);
          tell(`${clock(beganMs)} ${done.fault} ${done.whom}: healed after ${done.healedMs?.toFixed(0)} ms`);
        },
      ),
    ]);
    return faults;
  }

  /** How many descriptors are open when no more are closed, or at the latest when there are no more than `wanted`. */
  async #settled(wanted: number, limitMs = SETTLE_LIMIT_MS): Promise<number> {
    const deadlineMs = performance.now() + limitMs;
    let open = await this.#descriptors();
    while (open > wanted && performance.now() < deadlineMs) {
      await Bun.sleep(SETTLE_POLL_MS);
      open = await this.#descriptors();
    }
    return open;
  }

  async #descriptors(): Promise<number> {
    const { pid } = this.ringmaster;
    return [pid, ...(await workersOf(pid))].reduce((sum, one) => sum + descriptorsOf(one), 0);
  }
}

/** Who asks on one port. */
class Clients {
  readonly #port: string;
  readonly #load: SteadyLoad;
  #posts = 0;
  #postsFailed = 0;

  constructor(port: string, url: string, load: Omit<LoadOptions, 'port'>) {
    this.#port = port;
    this.#load = new SteadyLoad({
      ...load,
      port: portOf(url),
      onReply: ({ method, status }) => {
        if (method !== 'POST') return;
        this.#posts++;
        if (status !== 200) this.#postsFailed++;
      },
    });
  }

  get figures(): PortFigures {
    const { requests, failures: failed, again, told } = this.#load;
    const [posts, postsFailed] = [this.#posts, this.#postsFailed];
    return {
      port: this.#port,
      gets: requests - posts + postsFailed,
      failed,
      again,
      posts,
      postsFailed,
      told,
    };
  }

  end(): Promise<void> {
    return this.#load.end();
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function isBug(line: string): boolean {
  return /a bug in|unexpected error/.test(line);
}

/** Of processes of which none should run any more those that do. */
async function leftOf(pids: readonly number[]): Promise<string[]> {
  const running: string[] = [];
  for (const pid of pids) if (!(await gone(pid))) running.push(`process ${pid}`);
  return running;
}

function clock(beganMs: number): string {
  return `${((performance.now() - beganMs) / 1000).toFixed(0).padStart(5)} s`;
}

/** Resolves early where the signal aborts. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted || ms <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}
