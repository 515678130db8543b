import { systemClock } from '../../fleet/clock.ts';
import type { Claim } from '../../fleet/member.ts';
import { openLog, silentLog } from '../../log.ts';
import type { Explain } from '../explained.ts';
import { LoopDelay } from '../loop-delay.ts';
import { Tally } from '../tally.ts';
import type { Relay, RelayOptions } from '../relay/relay.ts';
import type { Order, Report } from './messages.ts';
import { FleetMirror } from './mirror.ts';

/** How often it is reported how much is in flight, where that has changed. */
const FLUSH_INTERVAL_MS = 100;
/** How often it is reported what was counted. */
const COUNTS_INTERVAL_MS = 500;

/** As openRelay; tests bring their own. */
export type OpenRelay = (options: RelayOptions) => Relay;

/** The life of a worker: it does what it is told over its IPC channel, and ends with it. */
export function serve(open: OpenRelay): void {
  /** Until it is opened a worker has no map. */
  let mirror = new FleetMirror(report);
  let log = silentLog;
  let relay: Relay | undefined;
  let connections = 0;
  const tally = new Tally();
  const loop = new LoopDelay();

  // Ctrl-C reaches every process of the terminal; the one that drains says when this one ends.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', (order: Order) => obey(order));
  setInterval(flush, FLUSH_INTERVAL_MS);
  setInterval(tellCounts, COUNTS_INTERVAL_MS);
  loop.watch();
  report({ type: 'hello' });

  function report(one: Report): void {
    process.send?.(one);
  }

  function obey(order: Order): void {
    switch (order.type) {
      case 'open':
        return begin(order);
      case 'ring':
        return mirror.show(order.ring);
      case 'ask':
        return mirror.tellVersion();
      case 'news':
        return mirror.tell(order.stay, order.news);
      case 'stop':
        return relay?.stop();
      case 'close':
        relay?.close();
        tellCounts();
        process.exit();
    }
  }

  function begin({ worker, host, port, config, balance, logLevel, ring }: Order & { type: 'open' }): void {
    log = openLog(logLevel);
    for (const event of ['uncaughtException', 'unhandledRejection'] as const)
      process.on(event, (error: unknown) => log.error({ worker, err: error }, `a bug in a worker: ${event}`));
    mirror = new FleetMirror(report, balance, systemClock, config.runtime === 'swarm' ? 'members' : 'ready');
    mirror.show(ring);
    try {
      const claim: Claim = (key, except, own) => mirror.claim(key, except, own);
      const explain: Explain = (key, except) => mirror.explain(key, except);
      relay = open({ host, port, shared: true, claim, explain, config, log, tally });
      report({ type: 'listening' });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      report({ type: 'refused', code, message });
    }
  }

  function tellCounts(): void {
    if (relay === undefined) return;
    report({
      type: 'counts',
      tally: tally.report(),
      clients: relay.clients(),
      loop: loop.report(),
      choices: mirror.choices(),
    });
  }

  function flush(): void {
    mirror.flush();
    if (relay === undefined || relay.connections === connections) return;
    connections = relay.connections;
    report({ type: 'connections', connections });
  }
}
