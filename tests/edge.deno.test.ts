import { afterAll, expect, test } from 'bun:test';
import { denoBinary } from './deno.ts';
import { environment, eventually, freePort } from './spawned.ts';

const PATIENCE_MS = 60_000;
const ROOT = new URL('..', import.meta.url).pathname;

let child: Bun.Subprocess | undefined;
afterAll(async () => {
  child?.kill('SIGKILL');
  await child?.exited;
});

test(
  'on Deno, too, it is alive from the beginning, and ready when the first replicas are',
  async () => {
    const port = await freePort();
    // Not ready before somebody lets it.
    const script =
      'Bun.serve({port:process.env.PORT,hostname:process.env.HOST,fetch:async()=>new Response(null,{status:await Bun.file(process.env.HOME+"/go").exists()?200:503})})';
    const home = (await Bun.$`mktemp -d`.text()).trim();
    child = Bun.spawn(
      [denoBinary(), 'serve', '-A', '--host', '127.0.0.1', '--port', String(port), 'src/edge.ts'],
      {
        cwd: ROOT,
        env: environment({
          RUNTIME: 'process',
          REPLICAS: '1',
          REPLICA_COMMAND: `'${process.execPath}' -e '${script}'`,
          HOME: home,
        }),
        stdout: 'ignore',
        stderr: 'ignore',
      },
    );
    const ask = async (path: string): Promise<string> => {
      const reply = await fetch(`http://127.0.0.1:${port}${path}`);
      return `${reply.status} ${await reply.text()}`;
    };
    await eventually(async () => (await ask('/heartbeat')) === '200 Hello');
    expect(await ask('/ready')).toContain('503 {"message":"<Error> Ringmaster is starting"');
    await Bun.write(`${home}/go`, '');
    await eventually(async () => (await ask('/ready')) === '200 {"ready":true}');
    child.kill('SIGTERM');
    await child.exited;
    await Bun.$`rm -r ${home}`.quiet();
  },
  PATIENCE_MS,
);
