import { afterEach, describe, expect, test } from 'bun:test';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../spawned.ts';
import { Claimant } from './claimant.ts';
import { endRigs, gone, WorkersRig } from './rig.ts';

const PATIENCE_MS = 60_000;
const HOUR_MS = '3600000';
const KEYS = Array.from({ length: 200 }, (_, i) => `key-${i}`);
const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Whom the fleet itself would send each key to. */
function owners(rig: WorkersRig): (string | null)[] {
  return KEYS.map((key) => rig.fleet.ring.owner(key) ?? null);
}

/** Whether a promise has settled, for who does not want to wait for it. */
function watched<T>(pending: Promise<T>): { readonly pending: Promise<T>; settled: boolean } {
  const watch = { pending, settled: false };
  const note = (): void => {
    watch.settled = true;
  };
  pending.then(note, note);
  return watch;
}

const stopped = new Set<number>();

function pause(pid: number): void {
  stopped.add(pid);
  process.kill(pid, 'SIGSTOP');
}

function resume(pid: number): void {
  stopped.delete(pid);
  process.kill(pid, 'SIGCONT');
}

afterEach(async () => {
  for (const pid of stopped) resume(pid);
  await endRigs();
});

describe('workers', () => {
  test(
    'share one port, and send each key where the fleet does',
    async () => {
      const rig = await new WorkersRig({ count: 3 }).open();
      const each = await Claimant.each(rig.port, 3);
      expect(each.map(({ self }) => self.pid).sort()).toEqual(rig.workers.pids.sort());
      expect(rig.workers.pids).not.toContain(process.pid);
      for (const one of each) expect(await one.map(KEYS)).toEqual(owners(rig));
      await eventually(() => rig.workers.connections === 3);
    },
    PATIENCE_MS,
  );

  test(
    'know what a relay has to know, and no secret',
    async () => {
      process.env['ADMIN_TOKEN'] = 'never-told';
      try {
        const rig = await new WorkersRig({
          env: { HASH_KEY: 'header:x-user', HEAD_BYTES_MAX: '9999' },
        }).open();
        expect(rig.config.adminToken).toBe('never-told');
        const [one] = await Claimant.each(rig.port, 2);
        expect(one?.self.config).toMatchObject({
          hashKey: [{ from: 'header', name: 'x-user' }],
          retries: 2,
          headBytesMax: 9999,
        });
        expect(JSON.stringify(one?.self)).not.toMatch(/never-told|ADMIN_TOKEN/);
      } finally {
        delete process.env['ADMIN_TOKEN'];
      }
    },
    PATIENCE_MS,
  );

  test(
    'do not end by the signals that end what they belong to',
    async () => {
      const rig = await new WorkersRig().open();
      const each = await Claimant.each(rig.port, 2);
      for (const signal of ['SIGINT', 'SIGTERM'] as const)
        for (const { self } of each) process.kill(self.pid, signal);
      for (let i = 0; i < 20; i++)
        for (const one of each) expect((await one.claim('key')).replica).not.toBeNull();
      expect(rig.workers.pids.sort()).toEqual(each.map(({ self }) => self.pid).sort());
    },
    PATIENCE_MS,
  );

  test(
    'outlive a bug in one request',
    async () => {
      const rig = await new WorkersRig({ env: { LOG_LEVEL: 'silent' } }).open();
      const [one] = await Claimant.each(rig.port, 2);
      one?.ask({ ask: 'throw' });
      for (let i = 0; i < 20; i++) expect((await one?.claim('key'))?.replica).toBeString();
      expect((await one?.map(KEYS))?.length).toBe(KEYS.length);
      expect(rig.logged('worker ended')).toEqual([]);
    },
    PATIENCE_MS,
  );
});

describe('a change of the fleet', () => {
  test(
    'is in force in every worker when it answers',
    async () => {
      const rig = await new WorkersRig({ count: 3 }).open();
      const each = await Claimant.each(rig.port, 3);
      for (let i = 0; i < 10; i++) {
        await rig.fleet.add({ n: 2, hostnames: [] });
        expect(await Promise.all(each.map((one) => one.map(KEYS)))).toEqual(each.map(() => owners(rig)));
        await rig.fleet.remove({ n: 1, hostnames: [] });
        expect(await Promise.all(each.map((one) => one.map(KEYS)))).toEqual(each.map(() => owners(rig)));
      }
    },
    PATIENCE_MS,
  );

  test(
    'is not answered while one worker goes by the ring before',
    async () => {
      const rig = await new WorkersRig({ count: 2 }).open();
      const [paused, other] = await Claimant.each(rig.port, 2);
      pause(paused?.self.pid ?? 0);
      const adding = watched(rig.fleet.add({ n: 1, hostnames: ['new'] }));
      // The other one has it, and so would have the first.
      await eventually(async () => (await other?.map(KEYS))?.includes('new'));
      expect(adding.settled).toBe(false);
      resume(paused?.self.pid ?? 0);
      await adding.pending;
      expect(await paused?.map(KEYS)).toEqual(owners(rig));
    },
    PATIENCE_MS,
  );

  test(
    'is answered without a worker that does not take it in: that one is ended and replaced',
    async () => {
      const rig = await new WorkersRig({ count: 2 }).open();
      const [paused] = await Claimant.each(rig.port, 2);
      const pid = paused?.self.pid ?? 0;
      pause(pid);
      await rig.fleet.add({ n: 1, hostnames: ['new'] });
      stopped.delete(pid);
      expect(rig.logged('ended by force')[0]?.fields).toMatchObject({ pid });
      await eventually(() => gone(pid));
      for (const one of await Claimant.each(rig.port, 2)) expect(await one.map(KEYS)).toEqual(owners(rig));
      expect(rig.workers.pids).not.toContain(pid);
    },
    PATIENCE_MS,
  );
});

describe('a leave', () => {
  test(
    'waits for the requests that workers have in flight',
    async () => {
      const rig = await new WorkersRig({ env: { DRAIN_TIMEOUT_MS: HOUR_MS } }).open();
      const key = rig.keyOf('server-2');
      const each = await Claimant.each(rig.port, 2);
      const claims = await Promise.all(each.map((one) => one.claim(key)));
      expect(claims.map(({ replica }) => replica)).toEqual(['server-2', 'server-2']);
      const removing = watched(rig.fleet.remove({ n: 1, hostnames: ['server-2'] }));
      for (const [i, one] of each.entries()) {
        await eventually(() => one.news.some(({ told }) => told === 'onLeaving'));
        expect(await one.map(KEYS)).not.toContain('server-2');
        expect(removing.settled).toBe(false);
        one.ask({ ask: 'release', lease: claims[i]?.lease ?? 0 });
      }
      expect(await removing.pending).toEqual(['server-1', 'server-3']);
      expect(each.map(({ news }) => news.map(({ told }) => told))).toEqual([['onLeaving'], ['onLeaving']]);
    },
    PATIENCE_MS,
  );

  test(
    'tells the workers when it cuts what they have in flight',
    async () => {
      const rig = await new WorkersRig({ env: { DRAIN_TIMEOUT_MS: '100' } }).open();
      const [one] = await Claimant.each(rig.port, 2);
      const { lease } = (await one?.claim(rig.keyOf('server-2'))) ?? { lease: 0 };
      await rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
      await eventually(() => one?.news.some(({ told }) => told === 'onCut'));
      expect(one?.news).toEqual([
        { told: 'onLeaving', lease },
        { told: 'onCut', lease },
      ]);
    },
    PATIENCE_MS,
  );
});

describe('a replica', () => {
  test(
    'that dies loses its requests in every worker, and those that come later go to its next instance',
    async () => {
      const rig = await new WorkersRig().open();
      const key = rig.keyOf('server-2');
      const each = await Claimant.each(rig.port, 2);
      await Promise.all(each.map((one) => one.claim(key)));
      rig.runtime.kill('server-2');
      for (const one of each) await eventually(() => one.news.some(({ told }) => told === 'onLost'));
      await eventually(() => rig.fleet.ring.owner(key) === 'server-2');
      for (const one of each) await eventually(async () => (await one.claim(key)).replica === 'server-2');
    },
    PATIENCE_MS,
  );

  test(
    'that one worker can’t reach is off the ring in all, until it answers',
    async () => {
      const rig = await new WorkersRig({
        env: { HEARTBEAT_INTERVAL_MS: '50', HEARTBEAT_FAILURES: '100' },
      }).open();
      const key = rig.keyOf('server-2');
      const each = await Claimant.each(rig.port, 2);
      const { lease } = (await each[0]?.claim(key)) ?? { lease: 0 };
      rig.silent.add('server-2');
      each[0]?.ask({ ask: 'unreachable', lease });
      for (const one of each) await eventually(async () => !(await one.map(KEYS)).includes('server-2'));
      rig.silent.clear();
      for (const one of each) await eventually(async () => (await one.map([key]))[0] === 'server-2');
    },
    PATIENCE_MS,
  );

  test(
    'has in flight what the workers have, all told',
    async () => {
      const rig = await new WorkersRig().open();
      const key = rig.keyOf('server-2');
      const each = await Claimant.each(rig.port, 2);
      expect(rig.inFlight('server-2')).toBe(0);
      for (const one of each) for (let i = 0; i < 2; i++) await one.claim(key);
      const own = rig.fleet.claim(key);
      await eventually(() => rig.inFlight('server-2') === 5);
      own?.release();
      each[0]?.leave();
      await eventually(() => rig.inFlight('server-2') === 2);
    },
    PATIENCE_MS,
  );
});

describe('a worker that dies', () => {
  test(
    'is replaced, and holds up no leave',
    async () => {
      const rig = await new WorkersRig({ env: { DRAIN_TIMEOUT_MS: HOUR_MS } }).open();
      const [doomed, other] = await Claimant.each(rig.port, 2);
      const pid = doomed?.self.pid ?? 0;
      await doomed?.claim(rig.keyOf('server-2'));
      await eventually(() => rig.inFlight('server-2') === 1);
      process.kill(pid, 'SIGKILL');
      await doomed?.closed;
      await rig.fleet.remove({ n: 1, hostnames: ['server-2'] });
      const each = await Claimant.each(rig.port, 2);
      expect(each.map(({ self }) => self.pid)).toContain(other?.self.pid ?? 0);
      expect(each.map(({ self }) => self.pid)).not.toContain(pid);
      for (const one of each) expect(await one.map(KEYS)).toEqual(owners(rig));
      await rig.fleet.add({ n: 1, hostnames: ['server-2'] });
      for (const one of each) expect(await one.map(KEYS)).toEqual(owners(rig));
      expect(rig.logged('worker ended')[0]?.fields).toMatchObject({ pid, signal: 'SIGKILL', delayMs: 0 });
    },
    PATIENCE_MS,
  );

  test(
    'or hangs though nothing changes is replaced, too',
    async () => {
      const rig = await new WorkersRig().open();
      const [hangs] = await Claimant.each(rig.port, 2);
      const pid = hangs?.self.pid ?? 0;
      pause(pid);
      await eventually(() => rig.logged('worker ended').length === 1);
      stopped.delete(pid);
      expect(rig.logged('worker ended')[0]?.fields).toMatchObject({ pid, signal: 'SIGKILL' });
      const each = await Claimant.each(rig.port, 2);
      for (const one of each) expect(await one.map(KEYS)).toEqual(owners(rig));
    },
    PATIENCE_MS,
  );

  test(
    'again and again is started again later, but never much: nobody else has the port',
    async () => {
      const rig = await new WorkersRig({ count: 1 }).open();
      for (let death = 1; death <= 5; death++) {
        const one = await Claimant.connect(rig.port);
        process.kill(one.self.pid, 'SIGKILL');
        await eventually(() => rig.logged('worker ended').length === death);
        await eventually(() => rig.logged('accepts connections').length === death);
      }
      expect(rig.logged('worker ended').map(({ fields }) => fields['delayMs'])).toEqual([
        0, 500, 1000, 1000, 1000,
      ]);
    },
    PATIENCE_MS,
  );

  test(
    'in the middle of a change does not hold it up',
    async () => {
      const rig = await new WorkersRig().open();
      const [paused] = await Claimant.each(rig.port, 2);
      const pid = paused?.self.pid ?? 0;
      pause(pid);
      const adding = rig.fleet.add({ n: 1, hostnames: ['new'] });
      await eventually(() => rig.fleet.ring.names.includes('new'));
      process.kill(pid, 'SIGKILL');
      stopped.delete(pid);
      await adding;
      expect(rig.logged('ended by force')).toEqual([]);
    },
    PATIENCE_MS,
  );
});

describe('a start', () => {
  test(
    'on a port that a stranger has is refused, with the code that says so',
    async () => {
      const stranger = createServer();
      await new Promise<void>((resolve) => void stranger.listen(0, '127.0.0.1', resolve));
      const { port } = stranger.address() as AddressInfo;
      const rig = new WorkersRig({ port });
      expect(await rig.open().catch((error: unknown) => error)).toMatchObject({ code: 'EADDRINUSE' });
      stranger.close();
    },
    PATIENCE_MS,
  );

  // The kernel lets in whoever shares a port, as long as both say so: two Ringmasters would have split the requests.
  test(
    'on a port that another’s workers share is refused, too',
    async () => {
      const first = await new WorkersRig().open();
      const second = new WorkersRig({ port: first.port });
      expect(await second.open().catch((error: unknown) => error)).toMatchObject({ code: 'EADDRINUSE' });
    },
    PATIENCE_MS,
  );

  test(
    'with a worker that can’t listen fails, and leaves none behind',
    async () => {
      const rig = new WorkersRig({ program: program('./refused-worker.ts') });
      const before = await children();
      expect(await rig.open().catch((error: unknown) => error)).toMatchObject({
        code: 'EADDRINUSE',
        message: 'Failed to listen',
      });
      expect(await children()).toEqual(before);
    },
    PATIENCE_MS,
  );

  test(
    'with a worker that ends at once fails',
    async () => {
      const rig = new WorkersRig({ program: program('./ending-worker.ts') });
      expect(await rig.open().catch((error: unknown) => error)).toMatchObject({
        name: 'WorkerFailed',
        message: 'A worker ended before it accepted connections',
      });
      expect(rig.logged('takes its place')).toEqual([]);
    },
    PATIENCE_MS,
  );
});

describe('the end', () => {
  test(
    'what is in flight is finished, no more is accepted, and then no process is left',
    async () => {
      const rig = await new WorkersRig({ env: { DRAIN_TIMEOUT_MS: HOUR_MS } }).open();
      const { pids } = rig.workers;
      const [one] = await Claimant.each(rig.port, 2);
      const { lease } = (await one?.claim(rig.keyOf('server-2'))) ?? { lease: 0 };
      rig.workers.stop();
      const closing = watched(rig.fleet.close(false));
      await eventually(() => one?.news.some(({ told }) => told === 'onLeaving'));
      await eventually(() =>
        Claimant.connect(rig.port).then(
          () => false,
          () => true,
        ),
      );
      expect(closing.settled).toBe(false);
      one?.ask({ ask: 'release', lease });
      await closing.pending;
      await rig.workers.close();
      await one?.closed;
      for (const pid of pids) await eventually(() => gone(pid));
      expect(rig.logged('takes its place')).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'comes for one that does not listen any more, too',
    async () => {
      const rig = await new WorkersRig().open();
      const { pids } = rig.workers;
      pause(pids[0] ?? 0);
      await rig.workers.close();
      stopped.clear();
      for (const pid of pids) await eventually(() => gone(pid));
    },
    PATIENCE_MS,
  );

  test(
    'while one is being replaced, or waits for that, leaves none',
    async () => {
      const rig = await new WorkersRig({ count: 3 }).open();
      const kill = async (death: number): Promise<void> => {
        process.kill(rig.workers.pids[0] ?? 0, 'SIGKILL');
        await eventually(() => rig.logged('takes its place').length === death);
      };
      await kill(1);
      await eventually(() => rig.logged('accepts connections').length === 1);
      await kill(2);
      expect(rig.logged('takes its place')[1]?.fields['delayMs']).toBe(500);
      await kill(3);
      await rig.workers.close();
      expect(await children()).toEqual([]);
      expect(rig.logged('accepts connections')).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test.each([['as they are'], ['one of them paused']])(
    'with the kill of what they belong to, %s, leaves none',
    async (how) => {
      const main = Bun.spawn([process.execPath, program('./claiming-main.ts')], { stdout: 'pipe' });
      const reader = main.stdout.getReader();
      const said = new TextDecoder().decode((await reader.read()).value);
      const { pids, port } = JSON.parse(said) as { pids: number[]; port: number };
      expect(pids).toHaveLength(3);
      const [one] = await Claimant.each(port, 3);
      await one?.claim('key');
      if (how !== 'as they are') pause(pids[0] ?? 0);
      main.kill('SIGKILL');
      await main.exited;
      for (const pid of pids) await eventually(() => gone(pid));
      stopped.clear();
    },
    PATIENCE_MS,
  );
});

/** Processes that were started from here and have not ended. */
async function children(): Promise<number[]> {
  const found = await Bun.$`pgrep -P ${process.pid} bun`.nothrow().quiet().text();
  const pids = found.split('\n').filter(Boolean).map(Number);
  const ended = await Promise.all(pids.map((pid) => gone(pid)));
  return pids.filter((_, i) => ended[i] === false);
}
