import type { Heartbeat } from '../../src/fleet/heartbeat.ts';
import type { Address } from '../../src/runtime/runtime.ts';
import type { FakeClock } from './fake-clock.ts';
import type { FakeEngine, Health } from './fake-engine.ts';

export interface FakeHeartbeatOptions {
  readonly engine: FakeEngine;
  readonly clock: FakeClock;
  /** What one way of a heartbeat takes, in ms. */
  readonly latencyMs?: () => number;
  /** Whether one gets lost on its way, or its answer. */
  readonly lost?: () => boolean;
}

/** Heartbeats that containers of a FakeEngine take as the state they are in at that moment lets them. */
export function fakeHeartbeat({
  engine,
  clock,
  latencyMs = () => 1,
  lost = () => false,
}: FakeHeartbeatOptions): Heartbeat {
  return async (address, _path, deadlineMs, signal) => {
    engine.heartbeats++;
    const deadline = clock.now() + deadlineMs;
    const wait = (ms: number): Promise<void> =>
      clock.sleep(Math.max(0, Math.min(ms, deadline - clock.now())), signal);
    await wait(latencyMs());
    const health = lost() ? 'silent' : healthAt(engine, address, clock.now());
    if (health === 'silent') await wait(deadlineMs);
    else await wait(latencyMs());
    if (signal.aborted || (clock.now() >= deadline && health !== 'refusing')) return 'failed';
    return health === 'well' ? 'answered' : health === 'refusing' ? 'refused' : 'failed';
  };
}

/** How what has the address takes a heartbeat at that moment. */
export function healthAt(engine: FakeEngine, address: Address, nowMs: number): Health {
  const container = engine.at(address);
  if (container === undefined || container.state === 'ended') return engine.deadAre;
  if (container.state === 'paused') return 'silent';
  return nowMs < container.answersAtMs ? 'refusing' : container.health;
}
