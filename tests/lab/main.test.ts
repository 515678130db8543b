import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readyIn } from '../../src/lab/subject.ts';
import { childrenOf, gone } from '../processes.ts';
import { controlsIn, onTerminal } from '../security/terminal.ts';
import { eventually, freePort } from '../spawned.ts';
import { Fake } from './grade/fake.ts';

const PATIENCE_MS = 120_000;
const ECHO_OVER_MS = 400;
const ROOT = new URL('../..', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'ringmaster-lab-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMAND = [process.execPath, '--no-orphans', 'src/lab/main.ts'] as const;

function spawnLab(...args: string[]) {
  // Settings of the caller's own Ringmaster must not reach those of the lab.
  const env = {
    ...process.env,
    ADMIN_TOKEN: 'a-token-of-the-caller',
    REPLICAS: '9',
    PORT: '1',
    GRADE_TOKEN: 'a-token-of-a-grader',
  };
  return Bun.spawn([...COMMAND, ...args], {
    cwd: ROOT,
    env,
    stdout: 'pipe',
    stderr: 'pipe',
    stdin: 'ignore',
  });
}

async function lab(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawnLab(...args);
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

/** Would take as long as no test has. */
const ENDLESS = ['--requests', '1000000', '--runtime', 'process'] as const;
/** One that has got to its first measurement. */
async function measuring(name: string) {
  const child = spawnLab(...ENDLESS, '--out', join(folder, name));
  const reader = child.stdout.getReader();
  let stdout = '';
  while (!stdout.includes('A-1')) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`it ended: ${await new Response(child.stderr).text()}`);
    stdout += Buffer.from(value).toString();
  }
  return child;
}

/** A press that comes sooner is taken for the echo of the one before. */
function secondPress(): Promise<void> {
  return Bun.sleep(ECHO_OVER_MS);
}

async function descendantsOf(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  const further = await Promise.all(children.map(descendantsOf));
  return [...children, ...further.flat()];
}

describe('the lab', () => {
  test(
    'measures live replicas, and writes a report with its CSV files',
    async () => {
      const out = join(folder, 'report');
      const { status, stdout, stderr } = await lab(
        `--out=${out}`,
        '--requests=200',
        '--replicas=2..3',
        '--algorithms=ring,course',
        '--runtime=process',
      );
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toContain('ring: A-1, 200 requests on 3 replicas');
      expect(stdout).toContain('course: A-2, 200 requests on 3 replicas');
      expect(stdout).toContain(`report: ${join(out, 'report.html')}`);
      expect(controlsIn(stdout)).toEqual([]);
      expect(readdirSync(out)).toHaveLength(9);
      const rows = readFileSync(join(out, 'a1-requests-per-server.csv'), 'utf8')
        .trim()
        .split('\r\n')
        .slice(1)
        .map((row) => row.split(','));
      for (const algorithm of ['ring', 'course']) {
        const own = rows.filter(([name]) => name === algorithm);
        expect(own.map(([, , server]) => server)).toEqual(['server-1', 'server-2', 'server-3']);
        expect(own.reduce((sum, [, , , requests]) => sum + Number(requests), 0)).toBe(200);
      }
      const growing = readFileSync(join(out, 'a2-growing.csv'), 'utf8').trim().split('\r\n').slice(1);
      // Failed and astray: nothing was lost, and who answered is who the map names.
      for (const row of growing) expect(row.split(',').slice(9, 11)).toEqual(['0', '0']);
      const kills = readFileSync(join(out, 'a3-kills.csv'), 'utf8').trim().split('\r\n').slice(1);
      expect(kills).toHaveLength(6);
      expect(kills.map((row) => row.split(',').at(-1))).toEqual(kills.map(() => '0'));
      const endpoints = readFileSync(join(out, 'a3-endpoints.csv'), 'utf8');
      expect(endpoints).not.toContain(',fail\r\n');
      expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(
        'replicas as processes on this machine',
      );
    },
    PATIENCE_MS,
  );

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'on %s ends what it has started, and writes no report',
    async (signal) => {
      const out = join(folder, signal);
      const child = spawnLab('--requests', '1000000', '--runtime', 'process', '--out', out);
      let stdout = '';
      const reading = (async () => {
        for await (const chunk of child.stdout) stdout += Buffer.from(chunk).toString();
      })();
      await eventually(() => stdout.includes('A-1'));
      const started = await descendantsOf(child.pid);
      expect(started.length).toBeGreaterThanOrEqual(4);
      child.kill(signal);
      expect(await child.exited).toBe(signal === 'SIGINT' ? 130 : 143);
      await reading;
      await eventually(async () => (await Promise.all(started.map(gone))).every(Boolean));
      expect(readdirSync(out)).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'killed with -9 leaves no process behind',
    async () => {
      const lab = await measuring('killed');
      const started = await descendantsOf(lab.pid);
      expect(started.length).toBeGreaterThanOrEqual(4);
      lab.kill('SIGKILL');
      await eventually(async () => (await Promise.all(started.map(gone))).every(Boolean));
    },
    PATIENCE_MS,
  );

  test(
    'told twice to end waits no more for what does not end in order, and leaves no process behind',
    async () => {
      const lab = await measuring('twice');
      const started = await descendantsOf(lab.pid);
      const [ringmaster] = (await childrenOf(lab.pid)) as [number];
      // It can't end in order any more.
      process.kill(ringmaster, 'SIGSTOP');
      lab.kill('SIGTERM');
      await secondPress();
      lab.kill('SIGTERM');
      expect(await lab.exited).toBe(143);
      expect(await new Response(lab.stderr).text()).toBe('');
      await eventually(async () => (await Promise.all(started.map(gone))).every(Boolean));
    },
    PATIENCE_MS,
  );

  test(
    'ends with a clear error where its Ringmaster is killed in the middle',
    async () => {
      const lab = await measuring('ringmaster');
      const started = await descendantsOf(lab.pid);
      process.kill((await childrenOf(lab.pid))[0] as number, 'SIGKILL');
      expect(await lab.exited).toBe(1);
      expect(await new Response(lab.stderr).text()).toMatch(
        /^Ringmaster ended in the middle, by SIGKILL\. The last it said: .*\n$/,
      );
      await eventually(async () => (await Promise.all(started.map(gone))).every(Boolean));
      expect(readdirSync(join(folder, 'ringmaster'))).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'ends in order where its terminal has closed',
    async () => {
      const out = join(folder, 'closed');
      let shown = '';
      const lab = Bun.spawn([...COMMAND, ...ENDLESS, '--out', out], {
        cwd: ROOT,
        terminal: { data: (_, bytes) => void (shown += Buffer.from(bytes).toString()) },
      });
      await eventually(() => shown.includes('A-1'));
      const started = await descendantsOf(lab.pid);
      const [ringmaster] = (await childrenOf(lab.pid)) as [number];
      // All that it writes from here on is refused, before it is told to end.
      process.kill(ringmaster, 'SIGSTOP');
      lab.terminal?.close();
      lab.kill('SIGHUP');
      await secondPress();
      expect(lab.exitCode).toBeNull();
      process.kill(ringmaster, 'SIGCONT');
      expect(await lab.exited).toBe(129);
      await eventually(async () => (await Promise.all(started.map(gone))).every(Boolean));
    },
    PATIENCE_MS,
  );

  test(
    'where Ringmaster can not start, says why and ends',
    async () => {
      const child = Bun.spawn([...COMMAND, '--runtime', 'docker', '--out', join(folder, 'none')], {
        cwd: ROOT,
        env: { ...process.env, DOCKER_HOST: 'unix:///nonexistent/docker.sock' },
        stdout: 'pipe',
        stderr: 'pipe',
      });
      const stderr = await new Response(child.stderr).text();
      expect(await child.exited).toBe(1);
      expect(stderr).toContain('RUNTIME=docker: no Docker engine answers on this machine');
      expect(stderr.trim().split('\n')).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test(
    'a folder that can not be written to is refused before anything is measured',
    async () => {
      const { status, stderr, stdout } = await lab('--out', '/proc/lab');
      expect([status, stdout]).toEqual([1, '']);
      expect(stderr).toStartWith('The folder /proc/lab can not be written to');
    },
    PATIENCE_MS,
  );

  test('a wrong option is one line, and status 2', async () => {
    const { status, stdout, stderr } = await lab('--requests', 'many');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toBe('--requests="many" is not allowed: it must be a whole number from 1 to 1000000\n');
  });

  test('help goes to standard output', async () => {
    const { status, stdout } = await lab('--help');
    expect([status, stdout.startsWith('bun run lab [options]')]).toEqual([0, true]);
  });

  test('finds the line that says where Ringmaster listens, and no other', () => {
    const line =
      '{"level":30,"port":5,"traffic":"http://x","trafficPort":6,"runtime":"process","msg":"ready: http://x"}';
    expect(readyIn(`{"msg":"starting"}\n${line}\n`)).toEqual({ port: 5, trafficPort: 6, runtime: 'process' });
    expect(readyIn(line.slice(0, -1))).toBeUndefined();
    expect(readyIn('{"msg":"ready:"}')).toBeUndefined();
  });
});

describe('the grader as a command', () => {
  test('prints the verdict, and ends with 0 where all passed', async () => {
    await using fake = await Fake.open();
    const { status, stdout, stderr } = await lab('grade', fake.url.replace('http://', ''), '--yes');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('✓ pass  keys-return');
    expect(stdout).toEndWith('score: 32 of 32 points passed\nthe servers are the same as before\n');
  });

  test('ends with 1 where something failed, and says it as JSON too', async () => {
    await using fake = await Fake.open({
      twist: (_, { path }) => (path === '/heartbeat' ? { status: 500, body: 'no' } : undefined),
    });
    const { status, stdout } = await lab('grade', fake.url, '--yes', '--json');
    const verdict = JSON.parse(stdout) as { score: object; left_as_found: boolean };
    expect(status).toBe(1);
    expect(verdict).toMatchObject({ score: { passed: 31, failed: 1, not_tried: 0 }, left_as_found: true });
  });

  test('ends with 0 where nothing failed, and says what could not be seen', async () => {
    await using fake = await Fake.open({ original: true });
    const { status, stdout } = await lab('grade', fake.url, '--yes');
    expect(status).toBe(0);
    expect(stdout).toContain('score: 27 of 31 points passed, 4 not tried\n');
    expect(stdout).toContain(
      'not tried, neither passed nor failed: same-id, add-moves, rm-moves, keys-return\n',
    );
  });

  test('takes the token of changes from GRADE_TOKEN, and shows it nowhere', async () => {
    const sent = new Set<string | undefined>();
    await using fake = await Fake.open({
      twist: (_, { method, authorization }) => {
        if (method === 'GET') return undefined;
        sent.add(authorization);
        return { status: 500, body: `not ${authorization}` };
      },
    });
    const { status, stdout, stderr } = await lab('grade', fake.url, '--yes', '--json');
    expect(status).toBe(1);
    expect([...sent]).toEqual(['Bearer a-token-of-a-grader']);
    expect(stdout).toContain('not Bearer ***');
    expect(stdout + stderr).not.toContain('a-token-of');
  });

  test('ends with 2 where nobody answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const { status, stdout, stderr } = await lab('grade', url, '--yes');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toStartWith(`${url} does not answer (no reply: `);
  });

  test('changes nothing without being told that it may', async () => {
    await using fake = await Fake.open({
      twist: (_, { method }) => (method === 'GET' ? undefined : { status: 500, body: 'changed' }),
    });
    const { status, stderr } = await lab('grade', fake.url);
    expect([status, stderr]).toEqual([
      2,
      `This adds and removes servers at ${fake.url}, and puts them back: say --yes to agree\n`,
    ]);
  });

  test(
    'on a terminal without colours prints none, and nothing else that a terminal obeys',
    async () => {
      await using fake = await Fake.open({
        twist: (_, { path }) =>
          path === '/heartbeat' ? { status: 500, body: '\u001b[2J\u009b2Jx' } : undefined,
      });
      const { raw, status } = await onTerminal([...COMMAND, 'grade', fake.url, '--yes'], {
        cwd: ROOT,
        env: { ...process.env, TERM: 'xterm' },
        colour: false,
      });
      expect(status).toBe(1);
      expect(raw).toContain('✗ FAIL  heartbeat');
      expect(controlsIn(raw.replaceAll('\r\n', '\n'))).toEqual([]);
    },
    PATIENCE_MS,
  );
});
