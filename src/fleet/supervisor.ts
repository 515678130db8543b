import { EngineGone, StartFailed, type Address, type Instance, type Runtime } from '../runtime/runtime.ts';
import { hash32 } from '../ring/hash.ts';
import { restartDelayMs, STABLE_AFTER_MS } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { Log } from '../log.ts';
import { Lanes } from './lanes.ts';
import type { Member } from './member.ts';
import { restMs, RESTS_MAX } from './outlier.ts';
import type { ReplicaEvent } from './state.ts';

/** Between two looks at a replica that is coming up: often at first, since most are ready in a fraction of a second. */
const READY_POLL_FIRST_MS = 20;
const READY_POLL_MAX_MS = 250;
/** Bounds of a heartbeat's deadline, which is otherwise its interval: a busy machine is not a dead replica. */
const HEARTBEAT_DEADLINE_MIN_MS = 500;
const HEARTBEAT_DEADLINE_MAX_MS = 2000;
/** From one heartbeat to the next when requests that fail ask for it: each of thousands a second may. */
const NUDGED_GAP_MS = 100;
/** Heartbeats that are under way at once, each on a connection of its own; the others wait for their turn. */
const HEARTBEATS_AT_ONCE_MAX = 1024;
/** Replicas that are started again at once; more at a time only make an engine slow that may be in trouble already. */
const HEALS_AT_ONCE_MAX = 8;
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
  /** Resolves when nothing at the engine forbids that a member is started again. Throws what the runtime throws. */
  readonly settle: () => Promise<void>;
  /** Where the engine itself starts anew what has ended, how to follow it. */
  readonly follow?: Follow;
}

export interface Follow {
  /** Resolves with the instance that takes the place of the one that the member has lost; rejects only when `signal` aborts. */
  next(member: Member, signal: AbortSignal): Promise<Instance>;
  /** Told, with each heartbeat that is missed, of a member that should have come back on its own by now. */
  silent(member: Member): void;
  /** Whether the instance that has answered is the member's still: its address may have become another's. */
  isStill(member: Member, instance: Instance): Promise<boolean>;
}

/** Keeps members alive: heartbeats, ejection, restart under the same name. One loop for each member. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #deadlineMs: number;
  readonly #heals = new Lanes(HEALS_AT_ONCE_MAX);
  readonly #beats = new Lanes(HEARTBEATS_AT_ONCE_MAX);

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

  /**
   * Starts an instance and waits until it answers; or until `elsewhere` says that it answers others, to whom the way may
   * be open while ours is not. Gives whether it was us. Throws what the runtime throws, or StartFailed.
   */
  async bringUp(
    member: Member,
    signal: AbortSignal,
    elsewhere: () => boolean = () => false,
  ): Promise<boolean> {
    const { runtime, clock, heartbeatPath, startTimeoutMs, look } = this.#options;
    const late = new StartFailed(`did not answer ${heartbeatPath} within ${startTimeoutMs} ms`);
    const timeout = new AbortController();
    const bound = AbortSignal.any([signal, timeout.signal]);
    // The engine, too, gets no longer than the start as a whole.
    void clock.sleep(startTimeoutMs, bound).then(() => timeout.abort(late));
    try {
      const { weight } = member;
      const instance = await runtime.start(member.spec, bound);
      member.began(instance);
      // Weighed while it was being started, when the engine had no instance to note that at. Its life does not depend on it.
      if (member.weight !== weight) await runtime.weigh?.(member.name, member.weight).catch(() => {});
      // The news of its end may have come already, when nobody knew yet that it is ours.
      look();
      return await this.#firstAnswer(member, instance, bound, elsewhere);
    } catch (error) {
      if (signal.aborted) throw new StartFailed('was given up');
      throw timeout.signal.aborted && !(error instanceof EngineGone) ? late : error;
    } finally {
      timeout.abort();
    }
  }

  /** Takes note that the member died; its loop starts the next instance when the back-off has passed. */
  died(member: Member, why: string): void {
    member.deaths++;
    member.restartAtMs = this.#options.clock.now() + restartDelayMs(member.deaths);
    this.bury(member, why);
  }

  /** Takes note that the member has no instance, and not by a death of its own: no back-off is added. */
  bury(member: Member, why: string): void {
    this.#options.step(member, 'died', why);
    member.ended();
    member.lose();
  }

  /** Takes a ready member off the ring until a heartbeat is answered again. */
  eject(member: Member, why: string): void {
    this.#options.step(member, 'missed', why);
    member.lose();
  }

  /** Takes a ready member off the ring whose requests fail: for a while, or, where that has not helped, to be replaced. */
  rest(member: Member): void {
    const { runtime, clock } = this.#options;
    const nowMs = clock.now();
    if (nowMs - member.readySinceMs >= STABLE_AFTER_MS) member.rests = 0;
    if (runtime.owns && this.#options.follow === undefined && member.rests >= RESTS_MAX) {
      member.rests = 0;
      return this.died(member, 'requests fail, and a rest has not helped');
    }
    member.rests++;
    member.restsUntilMs = nowMs + restMs(member.rests);
    this.eject(member, 'requests fail');
    member.nudge();
  }

  async #run(member: Member, signal: AbortSignal): Promise<void> {
    const { clock, log, heartbeatIntervalMs } = this.#options;
    // One for each instance, not for each heartbeat: a signal remembers all that were ever made to follow it.
    let bound = { run: member.run, signal: AbortSignal.any([signal, member.run]) };
    while (!signal.aborted) {
      try {
        if (bound.run !== member.run)
          bound = { run: member.run, signal: AbortSignal.any([signal, member.run]) };
        const { follow } = this.#options;
        if (member.state === 'waiting' && follow !== undefined) await this.#follow(member, follow, signal);
        else if (member.state === 'waiting') await this.#heal(member, signal);
        else await this.#beat(member, signal, bound.signal);
      } catch (error) {
        // A bug; but a member without its loop would never be healed again.
        log.error(
          { replica: member.name, state: member.state, err: error },
          'unexpected error in a supervisor',
        );
        await clock.sleep(heartbeatIntervalMs, signal);
      }
    }
  }

  async #firstAnswer(
    member: Member,
    instance: Instance,
    signal: AbortSignal,
    elsewhere: () => boolean,
  ): Promise<boolean> {
    const { clock, heartbeat, heartbeatPath } = this.#options;
    const { address } = instance;
    if (address === undefined) throw new StartFailed('has no address that can be reached from here');
    const bound = AbortSignal.any([signal, member.run]);
    for (let wait = READY_POLL_FIRST_MS; ; wait = Math.min(wait * 1.5, READY_POLL_MAX_MS)) {
      const result = await heartbeat(address, heartbeatPath, this.#deadlineMs, bound);
      if (member.instance !== instance) throw new StartFailed('ended before it was ready');
      signal.throwIfAborted();
      if (result === 'answered') return true;
      if (elsewhere()) return false;
      await clock.sleep(wait, bound);
    }
  }

  /** No back-off and no lanes: those are the engine's, and it does not start faster what is looked for less often. */
  async #follow(member: Member, follow: Follow, signal: AbortSignal): Promise<void> {
    const { step } = this.#options;
    const instance = await follow.next(member, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (instance === undefined || signal.aborted) return;
    member.began(instance);
    member.restarts++;
    // Off the ring until it answers, which is asked at once.
    step(member, 'found', 'the engine has started it');
  }

  async #heal(member: Member, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await clock.sleep(Math.max(0, member.restartAtMs - clock.now()), signal);
    await this.#heals.run(() => this.#restart(member, signal), signal);
  }

  async #restart(member: Member, signal: AbortSignal): Promise<void> {
    const { clock, step, settle } = this.#options;
    step(member, 'restarted', 'a new instance is started');
    try {
      await settle();
      if (signal.aborted) return;
      await this.bringUp(member, signal);
      if (signal.aborted) return;
      member.restarts++;
      member.readySinceMs = clock.now();
      step(member, 'answered', 'its new instance answers');
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof EngineGone) {
        // Not its fault: it is tried again as soon as the engine is back, however often it died before.
        member.restartAtMs = clock.now() + ENGINE_RETRY_MS;
        this.bury(member, why);
      } else {
        this.died(member, why);
      }
    }
  }

  /** `bound` aborts with `signal` and with the end of the member's instance. */
  async #beat(member: Member, signal: AbortSignal, bound: AbortSignal): Promise<void> {
    const { runtime, clock, heartbeat, heartbeatPath, heartbeatFailures, step, look, follow } = this.#options;
    // Who is ready or ejected has an instance, and an instance without an address never gets that far.
    const instance = member.instance as Instance;
    const beganMs = clock.now();
    const wasEjected = member.state === 'ejected';
    // Before the heartbeat is sent: a nudge that comes while it is under way asks for the next one.
    member.nudged = false;
    const address = instance.address as Address;
    const result =
      (await this.#beats.run(() => {
        member.askedAtMs ??= clock.now();
        return heartbeat(address, heartbeatPath, this.#deadlineMs, bound);
      }, bound)) ?? 'unsent';
    // Nothing has reached it, so that it owes nothing; nor is an answer to be taken by who is looked after no more.
    if (result === 'unsent' || signal.aborted) member.askedAtMs = undefined;
    // Only now is known whether anybody still wants to hear of it.
    if (signal.aborted || member.instance !== instance) return;
    // An answer to what was sent before it was taken off the ring tells nothing of what has happened since.
    const outdated = result === 'answered' && member.state === 'ejected' && !wasEjected;
    if (outdated) return this.#pause(member, instance, beganMs, signal);
    if (result === 'answered' && wasEjected && follow !== undefined) {
      const still = await follow.isStill(member, instance);
      if (!still || signal.aborted || member.instance !== instance)
        return this.#pause(member, instance, beganMs, signal);
    }
    if (result === 'answered') {
      member.missed = 0;
      member.askedAtMs = undefined;
      if (member.state === 'ejected') {
        if (clock.now() >= member.restsUntilMs) {
          // Its heartbeats were answered while its requests failed: they do not say enough.
          member.begins(member.restsUntilMs > 0);
          member.restsUntilMs = 0;
          member.readySinceMs = clock.now();
          step(member, 'answered', 'answers again');
        }
      } else if (clock.now() - member.readySinceMs >= STABLE_AFTER_MS) member.deaths = 0;
    } else if (result !== 'unsent') {
      member.missed++;
      if (result === 'refused') look();
      if (member.state === 'ready' && (result === 'refused' || member.missed >= heartbeatFailures))
        this.eject(member, result === 'refused' ? 'connection refused' : 'missed heartbeats');
      // As many again, off the ring, to come back on its own; then it is replaced, unless only its owner could do that.
      else if (runtime.owns && member.state === 'ejected' && member.missed >= 2 * heartbeatFailures) {
        if (follow === undefined) this.died(member, 'did not come back');
        else follow.silent(member);
      }
    }
    await this.#pause(member, instance, beganMs, signal);
  }

  /** Until the next heartbeat is due, or until there is nothing more to wait for. */
  async #pause(member: Member, instance: Instance, beganMs: number, signal: AbortSignal): Promise<void> {
    const { clock, heartbeatIntervalMs } = this.#options;
    const intervalMs = untilNextMs(member.name, beganMs, heartbeatIntervalMs);
    while (!signal.aborted && member.instance === instance) {
      const gapMs = member.nudged ? Math.min(NUDGED_GAP_MS, intervalMs) : intervalMs;
      // The end of a rest is not put off to the next heartbeat, which may be an hour away.
      const restingMs = member.restsUntilMs > beganMs ? member.restsUntilMs - beganMs : gapMs;
      const leftMs = beganMs + Math.min(gapMs, restingMs) - clock.now();
      if (leftMs <= 0) return;
      await clock.sleep(leftMs, member.napSignal());
    }
  }
}

/**
 * From one heartbeat to the next, in ms: each replica has its own moment of the interval, so that those of many do not come
 * at once, and do not stay together either when something has held them up. An interval; once, to get there, down to a tenth of
 * one or up to a tenth more.
 */
function untilNextMs(name: string, beganMs: number, intervalMs: number): number {
  const momentMs = (hash32(name) / 2 ** 32) * intervalMs;
  const sinceMs = (((beganMs - momentMs) % intervalMs) + intervalMs) % intervalMs;
  const leftMs = intervalMs - sinceMs;
  return Math.ceil(leftMs < intervalMs / 10 ? leftMs + intervalMs : leftMs);
}
