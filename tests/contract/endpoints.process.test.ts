import { spawnRingmaster } from '../spawned.ts';
import { endpointContract } from './endpoints.suite.ts';

endpointContract('local processes on Bun', async () => {
  const ringmaster = await spawnRingmaster({ RUNTIME: 'process' });
  return { url: ringmaster.url, close: () => ringmaster.end('SIGTERM') };
});
