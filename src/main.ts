import type { App } from './app.ts';
import { announce, partingLine } from './announce.ts';
import { ConfigError, parseConfig, printable, type Config } from './config.ts';
import { watchLineage } from './lineage.ts';
import { openOutput, type Log, type Output } from './log.ts';
import { PortRefused, portRefused } from './port.ts';
import { preface, type Stage } from './preface.ts';
import { openRingmaster, type Ringmaster } from './ringmaster.ts';
import { openTraffic } from './traffic/traffic.ts';

/** Idle connections are closed after this; it is the longest that Bun has. */
const IDLE_TIMEOUT_S = 255;
/** One press of Ctrl-C reaches us from the terminal and again from `bun run`: what comes this soon is the same one. */
const SIGNAL_ECHO_MS = 250;
const SIGNAL_NUMBER = { SIGINT: 2, SIGTERM: 15 } as const;

// First of all: who refuses a start wants to know of it.
let output: Output | undefined;
let stage: Stage = 'starting';
const config = readConfig();
output = openOutput(config.logLevel);
const { log, terminal } = output;
// The port is taken before anything is started; calls that come in until then wait.
const app = Promise.withResolvers<App>();
const server = listen(config, app.promise, log);
const stopping = new AbortController();
const forced = new AbortController();
terminal?.begin('starting');
const opening = openRingmaster(config, log, {
  stopping: stopping.signal,
  forced: forced.signal,
  port: server.port ?? config.port,
  openTraffic,
});
let askedAtMs: number | undefined;

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));
void watchLineage(() => stop('SIGTERM'));
// A bug in one request must not end the service of all others; it is told in full.
for (const event of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(event, (error: unknown) => log.error({ err: error }, `a bug in Ringmaster: ${event}`));

try {
  const ringmaster = await opening;
  app.resolve(ringmaster.app);
  if (!stopping.signal.aborted) {
    stage = 'serving';
    announce({ ringmaster, config, port: server.port ?? config.port, output });
  }
} catch (error) {
  if (error instanceof PortRefused) refuse(error.message);
  if (!stopping.signal.aborted) refuse(`Ringmaster could not start: ${(error as Error).message}`);
}

function readConfig(): Config {
  try {
    return parseConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigError) refuse(error.message);
    throw error;
  }
}

function listen({ host, port }: Config, ready: Promise<App>, to: Log): Bun.Server<undefined> {
  let opened: App | undefined;
  void ready.then((answer) => {
    opened = answer;
  });
  try {
    return Bun.serve({
      hostname: host,
      port,
      // Two servers on one port would share its requests in silence.
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_S,
      // What is forwarded is streamed, whatever its size; changes have a limit of their own.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      // Otherwise a reply that breaks prints our source on the terminal.
      development: false,
      fetch: (request, self) => {
        // A request under way takes as long as it takes; limits of its own apply where it is handled.
        self.timeout(request, 0);
        const early = preface(request, stage);
        if (early !== undefined) return early;
        const peer = (): string => self.requestIP(request)?.address ?? '';
        return opened === undefined ? ready.then((answer) => answer(request, peer)) : opened(request, peer);
      },
      error: (error) => {
        to.error({ err: error }, 'unexpected error in a listener');
        return new Response(null, { status: 500 });
      },
    });
  } catch (error) {
    return refuse(portRefused({ variable: 'PORT', host, port }, error).message);
  }
}

function stop(signal: keyof typeof SIGNAL_NUMBER): void {
  const nowMs = performance.now();
  if (askedAtMs === undefined) {
    askedAtMs = nowMs;
    void shutDown();
  } else if (nowMs - askedAtMs > SIGNAL_ECHO_MS) {
    log.warn({}, 'forced to stop: what is in flight is cut');
    process.exitCode = 128 + SIGNAL_NUMBER[signal];
    forced.abort();
  }
}

/** Takes no more connections, then drains; idle ones are closed at the end. */
async function shutDown(): Promise<void> {
  stopping.abort();
  stage = 'stopping';
  const shown = terminal?.begin('draining…') === true;
  if (!shown) log.info({}, 'stopping');
  void server.stop(false);
  const ringmaster = await opening.catch(() => undefined);
  const line = ringmaster === undefined ? () => 'stopped' : partingOf(ringmaster);
  ringmaster?.fleet.journal.listen(() => terminal?.step(line(false)));
  await ringmaster?.close();
  await server.stop(true);
  terminal?.end();
  if (shown) terminal?.print(`${line(true)}\n`);
  else log.info({}, 'stopped');
  process.exit();
}

/** What becomes of the replicas from now on, at any moment. */
function partingOf({ runtime, fleet }: Ringmaster): (over: boolean) => string {
  const members = fleet.names().length;
  const before = fleet.journal.count('left');
  const { onExit } = config;
  return (over) =>
    partingLine({ runtime, onExit, members, left: fleet.journal.count('left') - before }, over);
}

/** One line that says what to change, and the end. */
function refuse(line: string): never {
  output?.terminal?.end();
  // What an engine or a build said may be part of it.
  process.stderr.write(`${printable(line)}\n`);
  process.exit(1);
}
