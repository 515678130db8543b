import { httpHeartbeat } from '../../src/fleet/heartbeat.ts';
import { silentLog } from '../../src/log.ts';
import { ProcessRuntime } from '../../src/runtime/process/process.ts';
import type { Address } from '../../src/runtime/runtime.ts';
import { eventually, spawnRingmaster } from '../spawned.ts';
import { endpointContract, JOINING_NAMES } from './endpoints.suite.ts';

const NEVER = new AbortController().signal;
const FIRST_NAMES = ['server-1', 'server-2', 'server-3'];

endpointContract(
  'upstream servers',
  async () => {
    // Somebody else, who runs the servers.
    const owner = new ProcessRuntime({ command: undefined, log: silentLog });
    const upstreams = await Promise.all(
      [...FIRST_NAMES, ...JOINING_NAMES].map(async (name, order) => {
        const { address } = await owner.start({ name, order, join: 'j', committed: true }, NEVER);
        const { host, port } = address as Address;
        await eventually(
          async () => (await httpHeartbeat({ host, port }, '/heartbeat', 1000, NEVER)) === 'answered',
        );
        return `${name}=${host}:${port}`;
      }),
    );
    const ringmaster = await spawnRingmaster({ RUNTIME: 'static', UPSTREAMS: upstreams.join(',') });
    const leaving = await fetch(`${ringmaster.url}/rm`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ n: JOINING_NAMES.length, hostnames: JOINING_NAMES }),
    });
    if (!leaving.ok) throw new Error(await leaving.text());
    return {
      url: ringmaster.url,
      close: async () => {
        await ringmaster.end('SIGTERM');
        await owner.close();
      },
    };
  },
  { generates: false },
);
