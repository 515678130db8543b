import type { Balance } from '../../src/config.ts';
import { Chooser, PLAIN_BALANCE } from '../../src/fleet/chooser.ts';
import type { ReplicaView } from '../../src/fleet/crew.ts';
import { digestOf, sourceOf } from '../../src/fleet/digest.ts';
import { Journal } from '../../src/fleet/journal.ts';
import { Load } from '../../src/fleet/load.ts';
import type { Standing } from '../../src/fleet/standing.ts';
import type { MetricsSource } from '../../src/metrics/source.ts';
import { sitesOf } from '../../src/ring/placement.ts';
import { Ring } from '../../src/ring/ring.ts';
import { EngineMeter } from '../../src/runtime/meter.ts';
import type { ClientCounts } from '../../src/traffic/clients.ts';
import { LoopDelay } from '../../src/traffic/loop-delay.ts';
import { NOBODY, Tally } from '../../src/traffic/tally.ts';

/** A source of which a test sets each part by hand. */
export class Built implements MetricsSource {
  readonly tallies = { traffic: new Tally(), control: new Tally() };
  readonly engine = new EngineMeter();
  readonly main = new LoopDelay();
  readonly startedAtMs = 1_700_000_000_500;
  readonly version = '1.2.3';
  readonly runtime = 'process';
  readonly fleet = new BuiltFleet();
  connectionsMax: number | undefined = 20_000;
  clientCounts: ClientCounts = { active: 4, idle: 3, tunnel: 2, closing: 1 };

  constructor(...ready: readonly string[]) {
    this.fleet.views = ready.map((name) => replica(name));
  }

  clients(): ClientCounts {
    return this.clientCounts;
  }

  loops(): ReadonlyMap<string, LoopDelay> {
    return new Map([['main', this.main]]);
  }
}

class BuiltFleet {
  readonly journal = new Journal(() => 0);
  engineAnswers = true;
  choices = chooser();
  views: ReplicaView[] = [];
  told: Partial<Standing> = {};

  everyone(): ReplicaView[] {
    return this.views;
  }

  standing(): Standing {
    const ready = this.views.filter(({ state }) => state === 'ready');
    const map = Ring.of(ready.map(({ name }) => name));
    return {
      map,
      digest: digestOf(sourceOf(map)),
      revision: 0,
      replicas: ready,
      reached: [],
      leaving: [],
      peers: [],
      disagreementMs: 0,
      ...this.told,
    };
  }
}

/** One that has chosen nothing yet. */
export function chooser(balance: Partial<Balance> = {}): Chooser {
  return new Chooser({
    balance: { ...PLAIN_BALANCE, ...balance },
    loadOf: () => new Load(),
    now: () => 0,
  });
}

export function replica(name: string, more: Partial<ReplicaView> = {}): ReplicaView {
  return {
    name,
    state: 'ready',
    address: undefined,
    weight: 1,
    effectiveWeight: 1,
    inFlight: 0,
    restarts: 0,
    sinceMs: 0,
    why: '',
    startedAtMs: undefined,
    missed: 0,
    askedAtMs: undefined,
    ...more,
  };
}

/** Something of everything. */
export function busy(): Built {
  const built = new Built('a', 'b');
  const { tallies, fleet, engine, main } = built;
  tallies.traffic.of('a').answered(200, 3);
  tallies.traffic.of('a').answered(502, 700);
  tallies.traffic.of('b').retried();
  tallies.traffic.of('b').failedOver();
  tallies.traffic.of('b').brokeOff(200);
  tallies.control.of('a').answered(404, 1);
  tallies.control.of(NOBODY).answered(503, 0.1);
  fleet.views.push(replica('c', { state: 'waiting', restarts: 3, missed: 2, inFlight: 7 }));
  fleet.choices = chooser({ shadowHash: 'rendezvous', hotKeySpread: 2 });
  fleet.choices.show(sitesOf(['a', 'b']));
  for (let i = 0; i < 2000; i++) fleet.choices.count('hot', fleet.choices.choose('hot') ?? '', true);
  fleet.journal.record('a', 'joined', '');
  fleet.journal.record('', 'engine away', '');
  engine.calls.list.took[1] = 5;
  engine.calls.list.sumS = 0.04;
  engine.calls.list.failed = 1;
  main.late(0.5);
  main.late(1500);
  return built;
}
