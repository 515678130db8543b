import { denoBinary } from '../deno.ts';
import { environment, eventually, freePort } from '../spawned.ts';
import { endpointContract } from './endpoints.suite.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

endpointContract('local processes on Deno', async () => {
  const port = await freePort();
  const child = Bun.spawn(
    [denoBinary(), 'serve', '-A', '--host', '127.0.0.1', '--port', String(port), 'src/edge.ts'],
    { cwd: ROOT, env: environment({ RUNTIME: 'process' }), stdout: 'ignore', stderr: 'ignore' },
  );
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/rep`)).ok);
  return {
    url,
    close: async () => {
      child.kill('SIGTERM');
      await child.exited;
    },
  };
});
