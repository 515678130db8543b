import { describe, expect, test } from 'bun:test';
import { parseConfig } from '../../../src/config.ts';
import { silentLog } from '../../../src/log.ts';
import type { Address } from '../../../src/runtime/runtime.ts';
import { openRelay } from '../../../src/traffic/relay/relay.ts';
import { CountedLease } from '../balancer.ts';
import { Client, type Reply } from './client.ts';
import { echo, RecordingUpstream, type Exchange, type Script } from './recording-upstream.ts';
import { Rig, type RigOptions } from './rig.ts';
import { Tally } from '../../../src/traffic/tally.ts';

const LOCAL = '127.0.0.1';

/** What the replica sees of a request with those fields, and the client of its reply. */
async function passed(
  fields: string,
  options: RigOptions = {},
  script: Script = echo,
  line = 'GET / HTTP/1.1\r\nHost: a.example:81',
): Promise<{ seen: Exchange; reply: Reply }> {
  await using rig = new Rig([script], options);
  const client = await rig.client();
  client.write(`${line}\r\n${fields}\r\n`);
  const reply = await client.reply();
  expect(reply.complete).toBe(true);
  return { seen: await rig.upstream().exchange(0), reply };
}

const replying =
  (fields: string): Script =>
  (exchange) =>
    exchange.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`);

const names = (one: Exchange): string[] => one.head.fields.map(([name]) => name.toLowerCase());

describe('where a request came from', () => {
  test('is said by the relay', async () => {
    const { seen } = await passed('');
    expect(seen.values('x-forwarded-for')).toEqual([LOCAL]);
    expect(seen.values('x-forwarded-host')).toEqual(['a.example:81']);
    expect(seen.values('x-forwarded-proto')).toEqual(['http']);
  });

  test.each([
    ['X-Forwarded-For: 10.0.0.1', 'x-forwarded-for', [LOCAL]],
    ['x-forwarded-for: 10.0.0.1\r\nX-FORWARDED-FOR: 10.0.0.2', 'x-forwarded-for', [LOCAL]],
    ['X-Forwarded-Host: evil', 'x-forwarded-host', ['a.example:81']],
    ['X-Forwarded-Proto: https', 'x-forwarded-proto', ['http']],
    ['X-Real-IP: 10.0.0.1', 'x-real-ip', []],
    ['Forwarded: for=10.0.0.1;host=evil;proto=https', 'forwarded', []],
  ])('is not taken from a client: %s', async (field, name, values) => {
    const { seen } = await passed(`${field}\r\n`);
    expect(seen.values(name)).toEqual(values);
  });

  test.each([
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'x-forwarded-for, x-forwarded-host',
  ])('can not be taken away through Connection: %s', async (named) => {
    const { seen } = await passed(`Connection: ${named}\r\nX-Forwarded-For: 10.0.0.1\r\n`);
    expect(seen.values('x-forwarded-for')).toEqual([LOCAL]);
    expect(seen.values('x-forwarded-host')).toEqual(['a.example:81']);
    expect(seen.values('x-forwarded-proto')).toEqual(['http']);
  });

  test.each([[[LOCAL]], [['127.0.0.0/8']], [['10.0.0.0/8', '127.0.0.1/32']]])(
    'is taken from a proxy in TRUSTED_PROXIES, which is added to it: %j',
    async (trustedProxies) => {
      const fields =
        'X-Forwarded-For: 192.0.2.7, 198.51.100.2\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\n';
      const { seen } = await passed(fields, { trustedProxies });
      expect(seen.values('x-forwarded-for').join(', ')).toBe(`192.0.2.7, 198.51.100.2, ${LOCAL}`);
      expect(seen.values('x-forwarded-proto')).toEqual(['https']);
      expect(seen.values('x-forwarded-host')).toEqual(['outer']);
    },
  );

  test('is said by the relay where a trusted proxy says nothing', async () => {
    const { seen } = await passed('', { trustedProxies: [LOCAL] });
    expect(seen.values('x-forwarded-for')).toEqual([LOCAL]);
    expect(seen.values('x-forwarded-host')).toEqual(['a.example:81']);
    expect(seen.values('x-forwarded-proto')).toEqual(['http']);
  });

  test.each([[['10.0.0.0/8']], [['127.0.0.2']], [['::1']]])(
    'is not taken from a proxy outside: %j',
    async (trustedProxies) => {
      const { seen } = await passed('X-Forwarded-For: 192.0.2.7\r\n', { trustedProxies });
      expect(seen.values('x-forwarded-for')).toEqual([LOCAL]);
    },
  );

  test('lines of a trusted proxy are put together in their order', async () => {
    const { seen } = await passed('X-Forwarded-For: 192.0.2.1\r\nX: y\r\nx-forwarded-for: 192.0.2.2\r\n', {
      trustedProxies: [LOCAL],
    });
    expect(seen.values('x-forwarded-for').join(', ')).toBe(`192.0.2.1, 192.0.2.2, ${LOCAL}`);
  });
});

describe('Via', () => {
  test('is added to a request, behind those that are there', async () => {
    expect((await passed('')).seen.values('via')).toEqual(['1.1 ringmaster']);
    const { seen } = await passed('Via: 1.0 fred, 1.1 p.example\r\n');
    expect(seen.values('via').join(', ')).toBe('1.0 fred, 1.1 p.example, 1.1 ringmaster');
  });

  test('is added to a reply, behind those that are there', async () => {
    expect((await passed('')).reply.values('via')).toEqual(['1.1 ringmaster']);
    const { reply } = await passed('', {}, replying('Via: 1.1 inner\r\n'));
    expect(reply.values('via').join(', ')).toBe('1.1 inner, 1.1 ringmaster');
  });

  test('can not be taken away through Connection', async () => {
    const { seen } = await passed('Connection: via\r\n');
    expect(seen.values('via')).toEqual(['1.1 ringmaster']);
  });
});

describe('X-Request-Id', () => {
  test('is made where there is none, is each time another, and is on the reply', async () => {
    const [first, second] = [await passed(''), await passed('')];
    const ids = [first, second].map(({ seen }) => seen.values('x-request-id'));
    expect(ids.map((one) => one.length)).toEqual([1, 1]);
    expect(ids[0]).not.toEqual(ids[1] as string[]);
    expect(ids[0]?.[0]).toMatch(/^[!-~]{8,}$/);
    expect(first.reply.values('x-request-id')).toEqual(ids[0] as string[]);
  });

  test('is kept, and is on the reply', async () => {
    const { seen, reply } = await passed('x-request-ID: abc-123\r\n');
    expect(seen.values('x-request-id')).toEqual(['abc-123']);
    expect(reply.values('x-request-id')).toEqual(['abc-123']);
  });

  test.each(['', 'a b', 'caf\xe9', 'x'.repeat(5000)])('what is none is replaced: %j', async (id) => {
    const { seen, reply } = await passed(`X-Request-Id: ${id}\r\n`);
    const ids = seen.values('x-request-id');
    expect(ids.length).toBe(1);
    expect(ids[0]).not.toBe(id);
    expect(reply.values('x-request-id')).toEqual(ids);
  });

  test('two of them are not both kept', async () => {
    const { seen, reply } = await passed('X-Request-Id: one\r\nX-Request-Id: two\r\n');
    expect(seen.values('x-request-id').length).toBe(1);
    expect(reply.values('x-request-id')).toEqual(seen.values('x-request-id'));
  });
});

describe('x-served-by', () => {
  test.each([
    ['', 'nothing'],
    ['X-Served-By: liar\r\n', 'another'],
    ['X-Served-By: one\r\nx-served-by: two\r\n', 'two others'],
    ['Connection: x-served-by\r\nX-Served-By: liar\r\n', 'one that Connection names'],
  ])('is the name of the replica, where that said %#', async (fields) => {
    const { reply } = await passed('', {}, replying(fields));
    expect(reply.values('x-served-by')).toEqual(['r0']);
  });
});

const HOP_BY_HOP = [
  'Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: keep-alive',
  'Connection: X-Mine\r\nX-Mine: 1',
  'X-Mine: 1\r\nConnection: close-x,X-MINE , other',
  'Upgrade: h2c',
  'Connection: upgrade-insecure\r\nUpgrade: h2c',
  'TE: gzip',
  'Connection: TE\r\nTE: trailers, deflate',
  'Connection: HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
];
const HOP_NAMES = /^(?:connection|keep-alive|proxy-connection|upgrade|te|x-mine|http2-settings)$/;

describe('what ends at this hop', () => {
  test.each(HOP_BY_HOP)('%j does not reach the replica', async (fields) => {
    const { seen } = await passed(`${fields}\r\nX-Other: 2\r\n`);
    const left = names(seen).filter((name) => HOP_NAMES.test(name));
    // That it takes trailers the relay may say of itself.
    expect(left.filter((name) => name !== 'te')).toEqual([]);
    expect(seen.values('te').filter((value) => value !== 'trailers')).toEqual([]);
    expect(seen.value('x-other')).toBe('2');
  });

  test.each(HOP_BY_HOP.filter((one) => !one.includes('TE') && !one.includes('close')))(
    '%j does not reach the client',
    async (fields) => {
      const { reply } = await passed('', {}, replying(`${fields}\r\nX-Other: 2\r\n`));
      const left = reply.fields.map(([name]) => name.toLowerCase()).filter((name) => HOP_NAMES.test(name));
      expect(left).toEqual([]);
      expect(reply.value('x-other')).toBe('2');
    },
  );

  test('Connection can not take the Host', async () => {
    const { seen } = await passed('Connection: Host\r\n');
    expect(seen.values('host')).toEqual(['a.example:81']);
  });

  test.each(['Content-Length', 'content-length, close', 'Transfer-Encoding'])(
    'Connection can not take the framing of a request: %s',
    async (named) => {
      await using rig = new Rig([echo]);
      for (const [framing, body] of [
        ['Content-Length: 5', 'hello'],
        ['Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'],
      ]) {
        const client = await rig.client();
        client.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: ${named}\r\n${framing}\r\n\r\n${body}`);
        const reply = await client.reply('POST');
        expect([200, 400]).toContain(reply.status);
        if (reply.status === 200) expect(reply.body.text).toBe('hello');
      }
      for (const one of rig.upstream().exchanges) expect(one.body.text).toBe('hello');
    },
  );

  test('nor that of a reply', async () => {
    await using rig = new Rig([
      (exchange) =>
        exchange.write('HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 5\r\n\r\nhello'),
    ]);
    const client = await rig.client();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const reply = await client.reply();
    expect([200, 502]).toContain(reply.status);
    expect(reply.complete).toBe(true);
    if (reply.status === 200) expect(reply.body.text).toBe('hello');
  });

  test('each side has its own framing', async () => {
    const { seen, reply } = await passed(
      '',
      {},
      (exchange) =>
        exchange.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'),
      'GET / HTTP/1.1\r\nHost: a',
    );
    expect(names(seen).filter((name) => name === 'transfer-encoding' || name === 'content-length')).toEqual(
      [],
    );
    expect(reply.body.text).toBe('hello');
  });
});

describe('Date', () => {
  test('is kept', async () => {
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
    expect((await passed('', {}, replying(`Date: ${date}\r\n`))).reply.values('date')).toEqual([date]);
  });

  test('is added where there is none (RFC 9110, section 6.6.1)', async () => {
    const [date = ''] = (await passed('')).reply.values('date');
    expect(date).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    const DAY_MS = 86_400_000;
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(DAY_MS);
  });
});

test('a refusal for the wrong method says which ones there are', async () => {
  await using rig = new Rig([echo]);
  const client = await rig.client();
  client.write('TRACE / HTTP/1.1\r\nHost: a\r\n\r\n');
  const reply = await client.reply('TRACE');
  expect(reply.status).toBe(405);
  expect(reply.value('allow')).toContain('GET');
});

describe('Max-Forwards', () => {
  const OPTIONS = 'OPTIONS / HTTP/1.1\r\nHost: a';

  test('of OPTIONS is one less behind the relay', async () => {
    const { seen } = await passed('Max-Forwards: 7\r\n', {}, echo, OPTIONS);
    expect(seen.values('max-forwards')).toEqual(['6']);
  });

  test('of another method is no business of the relay’s, also after an OPTIONS with the same fields', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    for (const [i, method] of ['OPTIONS', 'GET', 'OPTIONS', 'GET'].entries()) {
      client.write(`${method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n\r\n`);
      await client.reply();
      const seen = await rig.upstream().exchange(i);
      expect(seen.values('max-forwards')).toEqual([method === 'GET' ? '7' : '6']);
    }
  });

  test('of 0 is answered by the relay itself, which then goes on', async () => {
    await using rig = new Rig([echo]);
    const client = await rig.client();
    client.write(`${OPTIONS}\r\nMax-Forwards: 0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n`);
    const reply = await client.reply('OPTIONS');
    expect([reply.status, reply.values('x-served-by')]).toEqual([200, []]);
    expect(reply.values('allow')).toHaveLength(1);
    expect((await client.reply()).status).toBe(200);
    expect(rig.seen).toEqual([1]);
  });
});

test('a reply whose Date ends at this hop gets one of ours', async () => {
  const { reply } = await passed('', {}, replying('Connection: date\r\nDate: x\r\n'));
  expect(reply.values('date')).toHaveLength(1);
  expect(reply.values('date')).not.toEqual(['x']);
});

describe('an Upgrade', () => {
  test.each(['', ' ', ',', 'h2c', 'H2C'])('to %j is left out', async (protocol) => {
    const { seen } = await passed(`Connection: upgrade\r\nUpgrade: ${protocol}\r\n`);
    expect([...seen.values('upgrade'), ...seen.values('connection')]).toEqual([]);
  });

  test('to h2c among others, and in several fields, is passed on as one list without it', async () => {
    const { seen } = await passed('Connection: upgrade\r\nUpgrade: websocket, h2c\r\nUpgrade: x/1\r\n');
    expect([...seen.values('upgrade'), ...seen.values('connection')]).toEqual(['websocket, x/1', 'upgrade']);
  });

  // A replica that switches to what nobody named would have a tunnel past the policy for heads.
  test('is no leave to switch to another protocol', async () => {
    const { reply } = await passed('Connection: upgrade\r\nUpgrade: x\r\n', {}, (exchange) =>
      exchange.write('HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n'),
    );
    expect(reply.status).toBe(502);
  });
});

// The reply's head was recognized, and went out with the name that its replica had before.
test('a replica that comes back under another name, where it was, is called by that', async () => {
  const names = ['one', 'two'];
  const upstream = new RecordingUpstream(replying('Date: x\r\n'));
  const address: Address = upstream.address;
  const leases: string[] = [];
  const relay = openRelay({
    host: LOCAL,
    port: 0,
    shared: false,
    log: silentLog,
    tally: new Tally(),
    config: parseConfig({}),
    claim: () => {
      const replica = names[leases.length < 3 ? 0 : 1] as string;
      leases.push(replica);
      return new CountedLease('', replica, address);
    },
  });
  const client = await Client.open(relay.port);
  for (let i = 0; i < 6; i++) {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await client.reply()).values('x-served-by')).toEqual([leases[i] as string]);
  }
  client.close();
  relay.close();
});
