import { spawnRingmaster } from '../spawned.ts';
import { endpointContract } from './endpoints.suite.ts';

endpointContract('containers', async () => {
  const ringmaster = await spawnRingmaster({ RUNTIME: 'docker', CLUSTER: `contract-${process.pid}` });
  return { url: ringmaster.url, close: () => ringmaster.end('SIGTERM') };
});
