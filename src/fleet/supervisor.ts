import { EngineGone, StartFailed, type Instance, type Runtime } from '../runtime/runtime.ts';
import { restartDelayMs, STABLE_AFTER_MS } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { Log } from '../log.ts';
import type { Member } from './member.ts';
import type { ReplicaEvent } from './state.ts';

/** Between two looks at a replica that is coming up: often at first, since most are ready in a fraction of a second. */
const READY_POLL_FIRST_MS = 20;
const READY_POLL_MAX_MS = 250;
/** Bounds of a heartbeat's deadline, which is otherwise its interval: a busy machine is not a dead replica. */
const HEARTBEAT_DEADLINE_MIN_MS = 500;
const HEARTBEAT_DEADLINE_MAX_MS = 2000;
/** How soon a restart is tried again when it was the engine that did not answer. */
const ENGINE_RETRY_MS = 500;

export interface SupervisorOptions {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly heartbeat: Heartbeat;
  readonly log: Log;
  readonly heartbeatPath: string;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatFailures: number;
  readonly startTimeoutMs: number;
  /** Moves the member through the state table and, where its readiness changed, swaps the ring. */
  readonly step: (member: Member, event: ReplicaEvent, why: string) => void;
  /** Asks for a look at the engine's list. */
  readonly look: () => void;
}

/** Keeps members alive: heartbeats, ejection, restart under the same name. One loop for each member. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #deadlineMs: number;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#deadlineMs = Math.min(
      Math.max(options.heartbeatIntervalMs, HEARTBEAT_DEADLINE_MIN_MS),
      HEARTBEAT_DEADLINE_MAX_MS,
    );
  }

  watch(member: Member): void {
    member.supervision = new AbortController();
    member.supervised = this.#run(member, member.supervision.signal);
  }

  /** Ends the member's loop; resolves when nothing more is done for it. */
  async release(member: Member): Promise<void> {
    member.supervision.abort();
    member.nudge();
    await member.supervised;
  }

  /** Starts an instance and waits until it answers. Throws what the runtime throws, or StartFailed. */
  async bringUp(member: Member, signal: AbortSignal): Promise<void> {
    const { runtime, clock, heartbeat, heartbeatPath, startTimeoutMs } = this.#options;
    const deadline = clock.now() + startTimeoutMs;
    const late = new StartFailed(`did not answer ${heartbeatPath} within ${startTimeoutMs} ms`);
    const timeout = new AbortController();
    const bound = AbortSignal.any([signal, timeout.signal]);
    // The engine, too, gets no longer than the start as a whole.
    void clock.sleep(startTimeoutMs, bound).then(() => timeout.abort(late));
    try {
      const instance = await runtime.start(member.spec, bound);
      member.instance = instance;
      member.missed = 0;
      const { address } = instance;
      if (address === undefined) throw new StartFailed('has no address that can be reached from here');
      for (let wait = READY_POLL_FIRST_MS; ; wait = Math.min(wait * 1.5, READY_POLL_MAX_MS)) {
        if (member.endedId === instance.id) throw new StartFailed('ended before it was ready');
        const left = deadline - clock.now();
        if (left <= 0) throw late;
        const result = await heartbeat(address, heartbeatPath, Math.min(this.#deadlineMs, left), bound);
        if (signal.aborted) throw new StartFailed('was given up');
        if (result === 'answered') return;
        await clock.sleep(Math.min(wait, Math.max(1, deadline - clock.now())), bound);
      }
    } catch (error) {
      throw timeout.signal.aborted && !(error instanceof EngineGone) ? late : error;
    } finally {
      timeout.abort();
    }
  }

  /** Takes note that the member's instance is no more; its loop starts the next one. */
  bury(member: Member, why: string): void {
    member.deaths++;
    this.#options.step(member, 'died', why);
    member.lose();
    member.nudge();
  }

  /** Takes a ready member off the ring until a heartbeat is answered again. */
  eject(member: Member, why: string): void {
    this.#options.step(member, 'missed', why);
    member.lose();
  }

  async #run(member: Member, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (member.state === 'waiting') await this.#restart(member, signal);
      else await this.#beat(member, signal);
    }
  }

  async #restart(member: Member, signal: AbortSignal): Promise<void> {
    const { clock, step, log } = this.#options;
    await clock.sleep(restartDelayMs(member.deaths), signal);
    if (signal.aborted) return;
    step(member, 'restarted', 'heal');
    try {
      await this.bringUp(member, signal);
      if (signal.aborted) return;
      member.restarts++;
      member.readySinceMs = clock.now();
      step(member, 'answered', 'healed');
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ replica: member.name, deaths: member.deaths, why }, 'replica could not be started again');
      if (error instanceof EngineGone) {
        step(member, 'died', why);
        await clock.sleep(ENGINE_RETRY_MS, signal);
      } else {
        this.bury(member, why);
      }
    }
  }

  async #beat(member: Member, signal: AbortSignal): Promise<void> {
    const { clock, heartbeat, heartbeatPath, heartbeatIntervalMs, heartbeatFailures, step, look } =
      this.#options;
    const instance = member.instance as Instance;
    const { address } = instance;
    const began = clock.now();
    // Taken before the heartbeat is sent: a nudge that comes while it is under way must not be lost.
    const nap = member.napSignal();
    const result =
      address === undefined ? 'refused' : await heartbeat(address, heartbeatPath, this.#deadlineMs, signal);
    if (signal.aborted || member.instance !== instance) return;
    const { state } = member;
    if (state !== 'ready' && state !== 'ejected') return;
    if (result === 'answered') {
      member.missed = 0;
      if (state === 'ejected') {
        member.readySinceMs = clock.now();
        step(member, 'answered', 'answers again');
      } else if (clock.now() - member.readySinceMs >= STABLE_AFTER_MS) member.deaths = 0;
    } else {
      member.missed++;
      if (result === 'refused') look();
      if (state === 'ready' && (result === 'refused' || member.missed >= heartbeatFailures))
        this.eject(member, result === 'refused' ? 'connection refused' : 'missed heartbeats');
      // As many again, off the ring, to come back on its own; then it is replaced.
      else if (state === 'ejected' && member.missed >= 2 * heartbeatFailures)
        return this.bury(member, 'did not come back');
    }
    await clock.sleep(Math.max(0, heartbeatIntervalMs - (clock.now() - began)), nap);
  }
}
