import { readdirSync } from 'node:fs';
import { environment, eventually, freePort } from '../spawned.ts';
import { endpointContract } from './endpoints.suite.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

/** The binary itself: the command in node_modules/.bin is a script around it, and signals would end only that. */
function denoBinary(): string {
  const vendor = `${ROOT}node_modules/@deno`;
  return `${vendor}/${readdirSync(vendor)[0]}/deno`;
}

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
