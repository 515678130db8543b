/** Owns three replicas and says their process ids; to be killed. */
import { silentLog } from '../../../src/log.ts';
import { ProcessRuntime } from '../../../src/runtime/process/process.ts';

const runtime = new ProcessRuntime({ command: undefined, log: silentLog });
const { signal } = new AbortController();
const instances = await Promise.all(
  ['a', 'b', 'c'].map((name, order) => runtime.start({ name, order, join: 'j', committed: true }, signal)),
);
process.stdout.write(`${JSON.stringify(instances.map((one) => Number(one.id.split('-')[0])))}\n`);
setInterval(() => {}, 1000);
