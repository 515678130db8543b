/**
 * The same app as a web-standard fetch handler, for runtimes that bring the listener: `deno serve -A src/edge.ts`.
 */
import type { App } from './app.ts';
import { parseConfig, printable } from './config.ts';
import { openLog } from './log.ts';
import { preface, type Stage } from './preface.ts';
import { openRingmaster } from './ringmaster.ts';

/** What Deno tells of a connection. */
interface ConnectionInfo {
  readonly remoteAddr?: { readonly hostname?: string };
}

const config = parseConfig(process.env);
const log = openLog(config.logLevel);
const stopping = new AbortController();
const forced = new AbortController();
let stage: Stage = 'starting';
const opening = openRingmaster(config, log, {
  stopping: stopping.signal,
  forced: forced.signal,
  // Deno listens, and does not say where: to be told the same as it.
  port: config.port,
});
const app: Promise<App> = opening.then((ringmaster) => {
  log.info({ runtime: ringmaster.runtime, replicas: ringmaster.fleet.names() }, 'ready');
  stage = stopping.signal.aborted ? 'stopping' : 'serving';
  return ringmaster.app;
});
app.catch((error: unknown) => {
  if (stopping.signal.aborted) return;
  process.stderr.write(
    `Ringmaster could not start: ${printable(error instanceof Error ? error.message : String(error))}\n`,
  );
  process.exit(1);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    if (stopping.signal.aborted) return forced.abort();
    stopping.abort();
    stage = 'stopping';
    void opening
      .then((ringmaster) => ringmaster.close())
      .catch(() => {})
      .finally(() => process.exit(0));
  });

export default {
  async fetch(request: Request, connection?: ConnectionInfo): Promise<Response> {
    // Without an address a caller counts as a stranger: changes then need ADMIN_TOKEN.
    return preface(request, stage) ?? (await app)(request, () => connection?.remoteAddr?.hostname ?? '');
  },
};
