/** Runs the suite where there is no `bun test`: one line of JSON for each case, for upstream.test.ts to read. */
import { sendByNodeHttp } from '../../src/traffic/upstream.ts';
import { upstreamCases } from './upstream.suite.ts';

/** Only ever reached by a case that hangs. */
const CASE_TIMEOUT_MS = 20_000;

for (const { name, run } of upstreamCases) {
  const hangs = Promise.withResolvers<never>();
  const timer = setTimeout(() => hangs.reject(new Error('hangs')), CASE_TIMEOUT_MS);
  let error: string | undefined;
  try {
    await Promise.race([run(sendByNodeHttp), hangs.promise]);
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
  clearTimeout(timer);
  process.stdout.write(`${JSON.stringify({ name, error })}\n`);
}
process.exit();
