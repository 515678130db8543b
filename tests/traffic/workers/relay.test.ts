import { afterAll, afterEach, describe, expect, test } from 'bun:test';
import type { Address } from '../../../src/runtime/runtime.ts';
import { eventually } from '../../spawned.ts';
import { endRigs, WorkersRig, type WorkersRigOptions } from './rig.ts';

const PATIENCE_MS = 60_000;
const HOUR_MS = '3600000';
const CLIENTS = 24;

/** Replicas that say who they are, and hold `/slow` until they are told to go on. */
const servers: Bun.Server<undefined>[] = [];
const newest = new Map<string, Bun.Server<undefined>>();
const slow: (() => void)[] = [];
function serve(name: string): Address {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      if (new URL(request.url).pathname === '/slow')
        await new Promise<void>((resolve) => void slow.push(resolve));
      return new Response(name);
    },
  });
  servers.push(server);
  newest.set(name, server);
  return { host: '127.0.0.1', port: server.port ?? 0 };
}

/** A client with one connection to one worker, which it keeps. */
class Client {
  readonly #replies: ((reply: string) => void)[] = [];
  #socket: Bun.Socket | undefined;
  #unread = '';
  #closed = false;

  static async connect(port: number): Promise<Client> {
    const one = new Client();
    one.#socket = await Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data: (_, chunk) => one.#read(chunk.toString()),
        close: () => one.#end(),
        error: () => one.#end(),
      },
    });
    clients.push(one);
    return one;
  }

  /** Status and body of the reply; `cut` where the connection ended without one. */
  get(target: string): Promise<string> {
    if (this.#closed) return Promise.resolve('cut');
    return new Promise((resolve) => {
      this.#replies.push(resolve);
      this.#socket?.write(`GET ${target} HTTP/1.1\r\nhost: test\r\n\r\n`);
    });
  }

  leave(): void {
    this.#socket?.end();
  }

  #read(text: string): void {
    this.#unread += text;
    for (;;) {
      const match = /^HTTP\/1\.1 (\d+) [^]*?\r\ncontent-length: (\d+)\r\n[^]*?\r\n\r\n/i.exec(this.#unread);
      if (match === null) return;
      const [head, status, length] = match;
      const end = head.length + Number(length);
      if (this.#unread.length < end) return;
      this.#replies.shift()?.(`${status} ${this.#unread.slice(head.length, end)}`);
      this.#unread = this.#unread.slice(end);
    }
  }

  #end(): void {
    this.#closed = true;
    for (const resolve of this.#replies.splice(0)) resolve('cut');
  }
}

const clients: Client[] = [];

async function opened(options: WorkersRigOptions = {}): Promise<WorkersRig> {
  return new WorkersRig({ program: WORKER, serve, ...options }).open();
}
const WORKER = new URL('../../../src/traffic/workers/worker.ts', import.meta.url).pathname;

/** So many that each worker has some: with two, all are at one of them once in eight million times. */
function connected(rig: WorkersRig): Promise<Client[]> {
  return Promise.all(Array.from({ length: CLIENTS }, () => Client.connect(rig.port)));
}

afterEach(async () => {
  for (const one of clients.splice(0)) one.leave();
  for (const go of slow.splice(0)) go();
  await endRigs();
});
afterAll(() => Promise.all(servers.map((server) => server.stop(true))));

describe('relays in several processes', () => {
  test(
    'tell a request that asks for it why it went where it went',
    async () => {
      const rig = await opened();
      const off = rig.fleet.owner('42') ?? '';
      // It answers no heartbeat, or it would be back at once.
      rig.silent.add(off);
      const lease = rig.fleet.claim('42');
      lease?.unreachable();
      lease?.release();
      await eventually(async () => {
        const reply = await fetch(`http://127.0.0.1:${rig.port}/?id=42`, {
          headers: { 'x-ringmaster-explain': '1' },
          keepalive: false,
        });
        const { goesTo, preference } = rig.fleet.explain('42');
        return (
          reply.headers.get('x-served-by') === goesTo &&
          reply.headers.get('x-ringmaster-owner') === goesTo &&
          reply.headers.get('x-ringmaster-preference') === preference.join(', ') &&
          reply.headers.get('x-ringmaster-passed-over') === `${off};reason=ejected`
        );
      });
    },
    PATIENCE_MS,
  );

  test(
    'send each key to its owner, on every connection, as soon as a change is answered',
    async () => {
      const rig = await opened();
      const all = await connected(rig);
      const check = async (): Promise<void> => {
        const keys = all.map((_, i) => `${i}-${rig.fleet.names().length}`);
        const replies = await Promise.all(all.map((one, i) => one.get(`/?id=${keys[i]}`)));
        expect(replies).toEqual(keys.map((key) => `200 ${rig.fleet.ring.owner(key)}`));
      };
      await check();
      for (let i = 0; i < 5; i++) {
        await rig.fleet.add({ n: 2, hostnames: [] });
        await check();
        await rig.fleet.remove({ n: 1, hostnames: [] });
        await check();
      }
      await eventually(() => rig.workers.connections === CLIENTS);
    },
    PATIENCE_MS,
  );

  test(
    'finish what is in flight before its replica goes',
    async () => {
      const rig = await opened({ env: { DRAIN_TIMEOUT_MS: HOUR_MS } });
      const all = await connected(rig);
      const key = rig.keyOf('server-2');
      const replies = all.map((one) => one.get(`/slow?id=${key}`));
      await eventually(() => slow.length === CLIENTS);
      let removed = false;
      const removing = rig.fleet.remove({ n: 1, hostnames: ['server-2'] }).then(() => {
        removed = true;
      });
      // Each but one is let go; the ring without it is in force by the time that a late client is sent elsewhere.
      const [last, ...others] = slow.splice(0);
      for (const go of others) go();
      const late = await Client.connect(rig.port);
      await eventually(async () => !(await late.get(`/?id=${key}`)).endsWith('server-2'));
      await eventually(() => rig.inFlight('server-2') === 1);
      expect(removed).toBe(false);
      last?.();
      await removing;
      expect(await Promise.all(replies)).toEqual(all.map(() => '200 server-2'));
    },
    PATIENCE_MS,
  );

  test(
    'lose no request while replicas come and go and die',
    async () => {
      const rig = await opened();
      const all = await connected(rig);
      const failed: string[] = [];
      const load = { over: false };
      let sent = 0;
      const sending = all.map(async (one, i) => {
        for (let n = 0; !load.over; n++) {
          const reply = await one.get(`/?id=${i}-${n}`);
          sent++;
          if (!reply.startsWith('200 ')) failed.push(reply);
        }
      });
      for (let i = 0; i < 5; i++) {
        await rig.fleet.add({ n: 2, hostnames: [] });
        void newest.get('server-1')?.stop(true);
        rig.runtime.kill('server-1');
        await rig.fleet.remove({ n: 2, hostnames: [] });
        const before = sent;
        await eventually(() => sent > before + 200);
      }
      load.over = true;
      await Promise.all(sending);
      expect(failed).toEqual([]);
      expect(sent).toBeGreaterThan(1000);
    },
    PATIENCE_MS,
  );

  test(
    'go on with one less, and with as many soon',
    async () => {
      const rig = await opened();
      const pid = rig.workers.pids[0] ?? 0;
      const all = await connected(rig);
      process.kill(pid, 'SIGKILL');
      await eventually(() => rig.logged('accepts connections').length === 1);
      expect(rig.workers.pids).not.toContain(pid);
      const replies = await Promise.all(all.map((one) => one.get('/?id=1')));
      expect(replies).toContain('cut');
      const again = await Promise.all((await connected(rig)).map((one) => one.get('/?id=1')));
      expect(again).toEqual(again.map(() => `200 ${rig.fleet.ring.owner('1')}`));
    },
    PATIENCE_MS,
  );

  test(
    'reply to what they have when they are stopped, and to no more',
    async () => {
      const rig = await opened();
      const all = await connected(rig);
      const replies = all.map((one) => one.get('/slow?id=1'));
      await eventually(() => slow.length === CLIENTS);
      rig.workers.stop();
      await eventually(() =>
        Client.connect(rig.port).then(
          () => false,
          () => true,
        ),
      );
      for (const go of slow.splice(0)) go();
      expect(await Promise.all(replies)).toEqual(all.map(() => `200 ${rig.fleet.ring.owner('1')}`));
      for (const one of all) await eventually(async () => (await one.get('/?id=1')) === 'cut');
    },
    PATIENCE_MS,
  );
});
