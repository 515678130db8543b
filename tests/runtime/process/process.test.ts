import { describe, expect, test } from 'bun:test';
import { silentLog } from '../../../src/log.ts';
import { ProcessRuntime } from '../../../src/runtime/process/process.ts';
import type { Instance } from '../../../src/runtime/runtime.ts';
import { eventually } from '../../spawned.ts';
import { runtimeContract } from '../contract.suite.ts';

const NEVER = new AbortController().signal;
const SPEC = { name: 'a', order: 1, join: 'j', committed: true };

function pidOf(instance: Instance): number {
  return Number(instance.id.split('-')[0]);
}

/** Whether the process is there and not only waiting to be reaped. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

runtimeContract('processes', async () => ({
  runtime: new ProcessRuntime({ command: undefined, log: silentLog }),
  kill: async (instance) => void process.kill(pidOf(instance), 'SIGKILL'),
  broken: async () => new ProcessRuntime({ command: ['/nonexistent/command'], log: silentLog }),
}));

describe('processes', () => {
  test('a replica gets its name and port, and nothing of our secrets', async () => {
    process.env['ADMIN_TOKEN'] = 'secret-of-the-admin';
    const script =
      'require("http").createServer((_, r) => r.end(JSON.stringify(process.env))).listen(+process.env.PORT, process.env.HOST)';
    const runtime = new ProcessRuntime({ command: [process.execPath, '-e', script], log: silentLog });
    try {
      const { address } = await runtime.start(SPEC, NEVER);
      let env: Record<string, string> = {};
      await eventually(async () => {
        env = (await (await fetch(`http://127.0.0.1:${address?.port}/`)).json()) as Record<string, string>;
      });
      expect(env['SERVER_ID']).toBe('a');
      expect(env['PORT']).toBe(String(address?.port));
      expect(JSON.stringify(env)).not.toContain('secret-of-the-admin');
    } finally {
      delete process.env['ADMIN_TOKEN'];
      await runtime.close();
    }
  });

  test('what a replica started ends with it, also where it is not asked to', async () => {
    // A shell that starts a child and waits: ending the shell alone would leave the child.
    const runtime = new ProcessRuntime({
      command: ['/bin/sh', '-c', 'sleep 1000 & echo $! >&2; wait'],
      log: silentLog,
    });
    const instance = await runtime.start(SPEC, NEVER);
    const group = pidOf(instance);
    const members = async (): Promise<number> =>
      (await Bun.$`ps -o pid= -g ${group}`.nothrow().quiet().text()).split('\n').filter(Boolean).length;
    await eventually(async () => (await members()) === 2);
    process.kill(group, 'SIGKILL');
    await eventually(async () => (await members()) === 0);
    await runtime.close();
  });

  test('replicas and warden end when their owner is killed', async () => {
    const owner = Bun.spawn([process.execPath, new URL('owner.fixture.ts', import.meta.url).pathname], {
      stdout: 'pipe',
    });
    const line = new TextDecoder().decode((await owner.stdout.getReader().read()).value);
    const pids = JSON.parse(line) as number[];
    expect(pids).toHaveLength(3);
    for (const pid of pids) expect(alive(pid)).toBe(true);
    owner.kill('SIGKILL');
    await owner.exited;
    await eventually(() => pids.every((pid) => !alive(pid)));
  });

  test('a warden that is killed is replaced, and knows all that the first one knew', async () => {
    const owner = Bun.spawn([process.execPath, new URL('owner.fixture.ts', import.meta.url).pathname], {
      stdout: 'pipe',
    });
    const line = new TextDecoder().decode((await owner.stdout.getReader().read()).value);
    const pids = JSON.parse(line) as number[];
    const wardens = async (): Promise<number[]> =>
      (await Bun.$`pgrep -P ${owner.pid} -f ringmaster-warden`.nothrow().quiet().text())
        .split('\n')
        .filter(Boolean)
        .map(Number);
    const [first] = await wardens();
    process.kill(first as number, 'SIGKILL');
    await eventually(async () => {
      const [next] = await wardens();
      return next !== undefined && next !== first;
    });
    owner.kill('SIGKILL');
    await owner.exited;
    await eventually(() => pids.every((pid) => !alive(pid)));
  });
});
