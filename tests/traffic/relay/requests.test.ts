import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Client, Reply } from './client.ts';
import { EITHER, FAIR, type Fair, type Seen } from './fair-requests.ts';
import { REFUSALS } from './hostile-requests.ts';
import type { Exchange, Script } from './recording-upstream.ts';
import type { Refusal } from './refusal.ts';
import { Rig } from './rig.ts';
import { expectSeen } from './seen.ts';
import { each, sendAll, waysOf } from './ways.ts';

let rig: Rig;
beforeAll(() => {
  rig = new Rig([tell]);
});
/** What a test before left behind is none of the next one's. */
beforeEach(() => rig.upstream().forget());
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Answers with the body of the request, and says which one it was. */
const tell: Script = async (exchange) => {
  await exchange.whole;
  const { size } = exchange.body;
  const body = exchange.method === 'HEAD' ? '' : exchange.body.bytes;
  exchange.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nX-Target: ${exchange.target}\r\n\r\n`, body);
};

const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const AFTER = 'GET /after HTTP/1.1\r\nHost: a\r\n\r\n';

/** Resolves with what the replica has seen, once it has seen what the relay had sent before. */
async function seenUpstream(): Promise<Exchange[]> {
  const client = await rig.client();
  client.write(SENTINEL);
  expect((await client.reply()).status).toBe(200);
  const seen = rig.upstream().exchanges.filter((one) => one.target !== '/sentinel');
  expect(rig.upstream().complaints).toEqual([]);
  rig.upstream().forget();
  return seen;
}

async function expectRefused(client: Client, statuses: readonly number[]): Promise<void> {
  const reply = await client.reply('POST');
  expect(statuses).toContain(reply.status);
  expect(reply.complete).toBe(true);
  expect(JSON.parse(reply.body.text)).toEqual({
    message: expect.stringMatching(/^<Error> ./),
    status: 'failure',
  });
  expect(reply.value('connection')).toBe('close');
  expect(reply.values('x-served-by')).toEqual([]);
  await client.end();
  expect(client.unread).toBe('');
  client.close();
}

async function refuse({ bytes, statuses, begun }: Refusal): Promise<void> {
  const ways = waysOf(bytes);
  ways.push(['with a request behind it', [Buffer.from(bytes + AFTER, 'latin1')]]);
  let sent = 0;
  await each(ways, async (pieces) => {
    sent++;
    const client = await rig.client();
    await client.pieces(pieces);
    await expectRefused(client, statuses);
  });
  const seen = await seenUpstream();
  expect(seen.filter((one) => one.complete).map((one) => one.head.raw)).toEqual([]);
  // The start of a request goes on before its end is seen to be wrong; nothing else does.
  expect(seen.length).toBeLessThanOrEqual(begun ? sent : 0);
}

describe('is refused and the connection closed', () => {
  test.each(REFUSALS.map((one) => [one.name, one] as const))('%s', async (_, refusal) => {
    await refuse(refusal);
  });

  test.each(REFUSALS.filter((one) => one.bytes.length < 500).map((one) => [one.name, one] as const))(
    'behind a good request: %s',
    async (_, { bytes, statuses, begun }) => {
      const client = await rig.client();
      client.write(`GET /first HTTP/1.1\r\nHost: a\r\n\r\n${bytes}${AFTER}`);
      expect((await client.reply()).value('x-target')).toBe('/first');
      await expectRefused(client, statuses);
      const seen = await seenUpstream();
      expect(seen.filter((one) => one.complete).map((one) => one.target)).toEqual(['/first']);
      expect(seen.length).toBeLessThanOrEqual(begun ? 2 : 1);
    },
  );
});

async function expectServed(client: Client, { sees, closes }: Fair): Promise<void> {
  for (const seen of sees) {
    const reply: Reply = await client.reply(seen.method);
    expect(reply.status).toBe(200);
    expect(reply.complete).toBe(true);
    expect(reply.value('x-served-by')).toBe('r0');
    expect(reply.value('x-target')).toBe(seen.target);
    expect(reply.body.text).toBe(seen.method === 'HEAD' ? '' : seen.body);
  }
  if (closes) {
    expect(await client.end()).toBe('fin');
    expect(client.unread).toBe('');
  } else {
    // Still there, and between two requests: the next one is served.
    client.write(SENTINEL);
    expect((await client.reply()).value('x-target')).toBe('/sentinel');
    await client.end();
  }
  client.close();
}

describe('is served', () => {
  test.each(FAIR.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    let sent = 0;
    await each(waysOf(one.bytes), async (pieces) => {
      const client = await rig.client();
      sent++;
      await sendAll(client, pieces);
      await expectServed(client, one);
    });
    const seen = await seenUpstream();
    expect(seen.length).toBe(sent * one.sees.length);
    const [expected] = one.sees;
    if (one.sees.length === 1) for (const exchange of seen) expectSeen(exchange, expected as Seen);
    // Those of many connections come between one another: one connection alone has an order.
    if (one.sees.length > 1) await expectSeenInOrder(one);
  });
});

async function expectSeenInOrder(one: Fair): Promise<void> {
  const client = await rig.client();
  client.write(one.bytes);
  await expectServed(client, one);
  const seen = await seenUpstream();
  expect(seen.length).toBe(one.sees.length);
  one.sees.forEach((expected, i) => expectSeen(seen[i], expected));
}

describe('is refused, or served only so', () => {
  test.each(EITHER.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const statuses = new Set<number>();
    await each(waysOf(one.bytes), async (pieces) => {
      const client = await rig.client();
      await sendAll(client, pieces);
      const reply = await client.reply(one.sees[0]?.method);
      statuses.add(reply.status);
      if (reply.status === 200) {
        expect(reply.body.text).toBe(one.sees[0]?.body as string);
      } else {
        expect([400, 417, 501, 505]).toContain(reply.status);
        await client.end();
        expect(client.unread).toBe('');
      }
      client.close();
    });
    // However it arrives, it is the same request.
    expect(statuses.size).toBe(1);
    const seen = await seenUpstream();
    for (const exchange of seen.filter((one) => one.complete)) expectSeen(exchange, one.sees[0] as Seen);
    if (!statuses.has(200)) expect(seen.filter((one) => one.complete)).toEqual([]);
  });
});

/** That this list is as long as it was: a row that is lost is a test that is lost. */
test('the tables are whole', () => {
  expect(REFUSALS.length).toBeGreaterThanOrEqual(397);
  expect(FAIR.length).toBeGreaterThanOrEqual(80);
  const names = [...REFUSALS, ...FAIR, ...EITHER].map((one) => one.name);
  expect(new Set(names).size).toBe(names.length);
});
