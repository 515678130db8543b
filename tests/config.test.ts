import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import * as fc from 'fast-check';
import { authorityOf, ConfigError, parseAuthority, parseConfig, type Config } from '../src/config.ts';

const SEED = 20260301;
// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);

const DEFAULTS: Config = {
  host: '0.0.0.0',
  port: 5000,
  trafficPort: 8080,
  workers: 1,
  retries: 2,
  trustedProxies: [],
  upstreams: [],
  headBytesMax: 16_384,
  headFieldsMax: 100,
  targetBytesMax: 8192,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 75_000,
  connectTimeoutMs: 1000,
  bodyStallTimeoutMs: 60_000,
  tunnelIdleTimeoutMs: 300_000,
  connectionsMax: 20_000,
  replicaInFlightMax: 1024,
  runtime: 'auto',
  replicas: 3,
  maxReplicas: 64,
  cluster: 'ringmaster',
  replicaImage: undefined,
  replicaPort: 5000,
  replicaCommand: undefined,
  hash: 'ring',
  shadowHash: undefined,
  hashKey: [{ from: 'query', name: 'id' }],
  loadFactor: 0,
  slowStartMs: 0,
  hotKeySpread: 1,
  hotKeyShare: 0.1,
  heartbeatPath: '/heartbeat',
  heartbeatIntervalMs: 1000,
  heartbeatFailures: 3,
  startTimeoutMs: 30_000,
  drainTimeoutMs: 10_000,
  replyHeaderTimeoutMs: 30_000,
  onExit: 'remove',
  adminToken: undefined,
  allowedHosts: [],
  chaos: false,
  accessLog: 0,
  logLevel: 'info',
};

/** What is wrong for every number, and for every choice. */
const NO_NUMBERS = [
  'abc',
  '-1',
  '1.5',
  '1e3',
  '0x10',
  '+5',
  ' 5',
  '5 ',
  'NaN',
  'Infinity',
  '٣',
  '9'.repeat(400),
];
const NO_CHOICES = ['DOCKER', 'remove ', 'no', '1', 'a'.repeat(400), '__proto__', 'constructor'];
const UNPRINTABLE = '\u0000\u0007\b\n\r\u001b[31m\u007f\u009b31m\u2028\u2029\u202e\u200b\u{e0001}';

interface Row {
  readonly variable: string;
  readonly field: keyof Config;
  readonly good: readonly (readonly [value: string, parsed: Config[keyof Config]])[];
  readonly bad: readonly string[];
  /** What the message says is allowed. */
  readonly allowed: string;
  /** Other variables that it needs. */
  readonly given?: Readonly<Record<string, string>>;
}

function number(variable: string, field: keyof Config, min: number, max: number): Row {
  return {
    variable,
    field,
    good: [
      [String(min), min],
      [String(max), max],
      [`00${max}`, max],
    ],
    bad: [...NO_NUMBERS, String(max + 1), ...(min > 0 ? [String(min - 1)] : [])],
    allowed: `a whole number from ${min} to ${max}`,
  };
}

function choice(variable: string, field: keyof Config, allowed: readonly string[]): Row {
  return {
    variable,
    field,
    good: allowed.map((one) => [one, one]),
    bad: NO_CHOICES,
    allowed: `one of ${allowed.join(', ')}`,
  };
}

const ROWS: readonly Row[] = [
  {
    variable: 'HOST',
    field: 'host',
    good: [
      ['127.0.0.1', '127.0.0.1'],
      ['::', '::'],
      ['fe80::1', 'fe80::1'],
      ['lb.example', 'lb.example'],
    ],
    bad: ['a b', 'http://x', '[::1]', 'a/b', 'x'.repeat(254), 'a\nb'],
    allowed: 'an address or a host name',
  },
  number('PORT', 'port', 0, 65_535),
  {
    variable: 'TRAFFIC_PORT',
    field: 'trafficPort',
    good: [
      ['off', undefined],
      ['0', 0],
      ['65535', 65_535],
      ['00080', 80],
    ],
    bad: [...NO_NUMBERS, '65536', '99999', '000080', 'OFF', 'Off', 'on', 'none', 'false', 'off ', 'off,80'],
    allowed: 'a port from 0 to 65535, or off',
  },
  number('WORKERS', 'workers', 1, 64),
  choice('HASH', 'hash', ['ring', 'maglev', 'rendezvous', 'course', 'nginx', 'ketama']),
  {
    ...choice('SHADOW_HASH', 'shadowHash', ['maglev', 'rendezvous', 'course', 'nginx', 'ketama']),
    good: [
      ['off', undefined],
      ['maglev', 'maglev'],
      ['course', 'course'],
    ],
    allowed: 'one of off, ring, maglev, rendezvous, course, nginx, ketama',
  },
  {
    variable: 'LOAD_FACTOR',
    field: 'loadFactor',
    good: [
      ['0', 0],
      ['1.01', 1.01],
      ['1.25', 1.25],
      ['2', 2],
      ['100', 100],
    ],
    bad: [
      ...NO_NUMBERS.filter((one) => one !== '1.5'),
      '1',
      '1.0',
      '1.001',
      '0.5',
      '.5',
      '100.1',
      '1,25',
      '1.',
    ],
    allowed: '0 (off), or a number from 1.01 to 100, such as 1.25',
  },
  number('SLOW_START_MS', 'slowStartMs', 0, 3_600_000),
  number('HOT_KEY_SPREAD', 'hotKeySpread', 1, 64),
  {
    variable: 'HOT_KEY_SHARE',
    field: 'hotKeyShare',
    good: [
      ['0.1', 0.1],
      ['.05', 0.05],
      ['1', 1],
      ['1.0', 1],
      ['0.000001', 0.000001],
    ],
    bad: [...NO_NUMBERS, '0', '0.0', '.', '1.1', '2', '10%', '0,1', '0.0000001'],
    allowed: 'a number above 0, at most 1 (all), such as 0.1',
  },
  number('RETRIES', 'retries', 0, 10),
  {
    variable: 'TRUSTED_PROXIES',
    field: 'trustedProxies',
    good: [
      ['10.0.0.1', ['10.0.0.1']],
      ['10.0.0.0/8', ['10.0.0.0/8']],
      ['0.0.0.0/0,255.255.255.255/32', ['0.0.0.0/0', '255.255.255.255/32']],
      [' ::1 , fd00::/8,::/0,::1/128', ['::1', 'fd00::/8', '::/0', '::1/128']],
    ],
    bad: [
      'proxy.example',
      'localhost',
      '*',
      'all',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/+8',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10.0.0.0/255.0.0.0',
      '10.0.0.0 /8',
      '/8',
      '::1/129',
      '[::1]',
      'fe80::1%eth0',
      'fe80::%eth0/64',
      '10.0.0.1:80',
      '10.0.0.1;10.0.0.2',
      ',',
      '10.0.0.1,',
      '10.0.0.1,,10.0.0.2',
      ' ',
    ],
    allowed: 'addresses or networks such as 10.0.0.0/8, separated by commas',
  },
  choice('RUNTIME', 'runtime', ['auto', 'docker', 'swarm', 'process', 'static']),
  {
    variable: 'UPSTREAMS',
    field: 'upstreams',
    given: { RUNTIME: 'static', MAX_REPLICAS: '3' },
    good: [
      ['a=10.0.0.1:80', [{ name: 'a', host: '10.0.0.1', port: 80 }]],
      [`${'n'.repeat(63)}=h:1`, [{ name: 'n'.repeat(63), host: 'h', port: 1 }]],
      [
        'B_1.x-=[fd00::1]:65535 , a=my_app.example:1, c=10.0.0.1:00081',
        [
          { name: 'B_1.x-', host: 'fd00::1', port: 65_535 },
          { name: 'a', host: 'my_app.example', port: 1 },
          { name: 'c', host: '10.0.0.1', port: 81 },
        ],
      ],
    ],
    bad: [
      'h:80',
      '=h:80',
      'a=',
      'a=h',
      'a=:80',
      'a=h:',
      'a=80',
      'a=h:0',
      'a=h:65536',
      'a=h:-1',
      'a=h:080000',
      'a=h:http',
      'a=h:80:80',
      'a=http://h:80',
      'a=h:80/path',
      'a=u@h:80',
      'a=h:80=b',
      'a =h:80',
      'a= h:80',
      'a=::1:80',
      'a=fd00::1:80',
      'a=[::1]',
      'a=[h]:80',
      'a=[10.0.0.1]:80',
      'a=[fe80::1%eth0]:80',
      'a=999.1.1.1:80',
      'a=1.2.3.4.5:80',
      'a=h..example:80',
      'a=.h:80',
      'a=-h:80',
      `a=${'h'.repeat(254)}:80`,
      'a=\u212a:80',
      '-a=h:80',
      'a b=h:80',
      `${'n'.repeat(64)}=h:80`,
      'a=h:80,a=i:80',
      'a=h:80,A=i:80',
      'a=h:80,b=h:80',
      'a=h:80,b=H:080',
      'a=h:80,b=h.:80',
      'a=127.0.0.1:80,b=127.1:80',
      'a=[::1]:80,b=[0:0:0:0:0:0:0:1]:80',
      'a=h:80,',
      ',a=h:80',
      'a=h:80,,b=i:80',
      ',',
      ' ',
      'a=h:80;b=i:80',
      'a=h:1,b=h:2,c=h:3,d=h:4',
      'a=h:80 weight=0',
      'a=h:80 weight=101',
      'a=h:80 weight=1.5',
      'a=h:80 weight=-1',
      'a=h:80 weight=01',
      'a=h:80 weight=',
      'a=h:80 weight',
      'a=h:80 weight = 2',
      'a=h:80 weight=2 weight=3',
      'a=h:80 max_fails=1',
      'a=h:80weight=2',
      'weight=2',
    ],
    allowed:
      'a list of name=host:port or name=host:port weight=N, separated by commas, N from 1 to 100, at most 3 (MAX_REPLICAS), no name and no server twice',
  },
  number('MAX_REPLICAS', 'maxReplicas', 1, 10_000),
  number('REPLICAS', 'replicas', 0, 64),
  {
    variable: 'CLUSTER',
    field: 'cluster',
    good: [
      ['a', 'a'],
      ['7_x-y', '7_x-y'],
      ['x'.repeat(32), 'x'.repeat(32)],
    ],
    bad: ['A', 'a.b', '-a', '_a', 'a b', 'x'.repeat(33), 'é', 'a\n', 'a/b', 'a=b', '$(id)'],
    allowed: '1 to 32 lower-case letters, digits, "_" or "-"',
  },
  {
    variable: 'REPLICA_IMAGE',
    field: 'replicaImage',
    good: [
      ['app', 'app'],
      ['registry.example:5000/Team/app:1.2', 'registry.example:5000/Team/app:1.2'],
      ['a@sha256:0123abc', 'a@sha256:0123abc'],
    ],
    bad: ['-v', '--privileged', 'a b', 'a;b', '$x', 'a'.repeat(256), '/a', 'é', 'a\n'],
    allowed: 'an image reference such as team/app:1.2',
  },
  number('REPLICA_PORT', 'replicaPort', 1, 65_535),
  {
    variable: 'REPLICA_COMMAND',
    field: 'replicaCommand',
    good: [['python3 server.py', ['python3', 'server.py']]],
    bad: [`'`, `"`, `it's`, `a "b`, `"a' 'b`, `a 'b" c`, ' ', '   ', 'a\nb', 'a\tb', 'a\u0000b', 'a\u007fb'],
    allowed: 'a command such as python3 server.py, with every quote closed',
  },
  {
    variable: 'HASH_KEY',
    field: 'hashKey',
    good: [
      ['path', [{ from: 'path' }]],
      ['query:ID', [{ from: 'query', name: 'ID' }]],
      [`cookie:${'n'.repeat(128)}`, [{ from: 'cookie', name: 'n'.repeat(128) }]],
      [
        ' header:X-User , cookie:s_1,query:a.b-c ,ip',
        [
          { from: 'header', name: 'X-User' },
          { from: 'cookie', name: 's_1' },
          { from: 'query', name: 'a.b-c' },
          { from: 'ip' },
        ],
      ],
    ],
    bad: [
      'id',
      'query',
      'query:',
      'query: id',
      'query:a b',
      'Query:id',
      'path:x',
      'ip:1',
      'path,',
      ',',
      'path,,ip',
      'header:a\r\nb',
      `query:${'n'.repeat(129)}`,
      'path;ip',
    ],
    allowed: 'a list of query:NAME, header:NAME, cookie:NAME, path, ip, separated by commas',
  },
  {
    variable: 'HEARTBEAT_PATH',
    field: 'heartbeatPath',
    good: [
      ['/', '/'],
      ['/a/b?deep=1', '/a/b?deep=1'],
    ],
    bad: ['heartbeat', 'http://x/', '/a b', '/é', '/a\r\nHost: x'],
    allowed: 'a path that begins with "/"',
  },
  number('HEARTBEAT_INTERVAL_MS', 'heartbeatIntervalMs', 50, 3_600_000),
  number('HEARTBEAT_FAILURES', 'heartbeatFailures', 1, 100),
  number('START_TIMEOUT_MS', 'startTimeoutMs', 100, 3_600_000),
  number('DRAIN_TIMEOUT_MS', 'drainTimeoutMs', 0, 3_600_000),
  number('HEAD_BYTES_MAX', 'headBytesMax', 256, 1_048_576),
  number('HEAD_FIELDS_MAX', 'headFieldsMax', 1, 10_000),
  number('TARGET_BYTES_MAX', 'targetBytesMax', 1, 1_048_576),
  number('HEAD_TIMEOUT_MS', 'headTimeoutMs', 100, 3_600_000),
  number('IDLE_TIMEOUT_MS', 'idleTimeoutMs', 100, 3_600_000),
  number('CONNECT_TIMEOUT_MS', 'connectTimeoutMs', 10, 3_600_000),
  number('REPLY_HEADER_TIMEOUT_MS', 'replyHeaderTimeoutMs', 100, 3_600_000),
  number('BODY_STALL_TIMEOUT_MS', 'bodyStallTimeoutMs', 100, 3_600_000),
  number('TUNNEL_IDLE_TIMEOUT_MS', 'tunnelIdleTimeoutMs', 100, 86_400_000),
  number('CONNECTIONS_MAX', 'connectionsMax', 1, 1_000_000),
  number('REPLICA_IN_FLIGHT_MAX', 'replicaInFlightMax', 1, 1_000_000),
  choice('ON_EXIT', 'onExit', ['remove', 'keep']),
  {
    variable: 'ALLOWED_HOSTS',
    field: 'allowedHosts',
    good: [
      ['lb.example', ['lb.example']],
      ['LB.Example, b.example', ['lb.example', 'b.example']],
      ['lb.example.', ['lb.example']],
    ],
    bad: [
      'lb.example:5000',
      'http://lb.example',
      'a b',
      '*',
      '*.example',
      ',',
      'a,',
      '.',
      'a_b',
      'x'.repeat(254),
    ],
    allowed: 'host names separated by commas',
  },
  {
    variable: 'CHAOS',
    field: 'chaos',
    good: [
      ['0', false],
      ['1', true],
    ],
    bad: ['true', 'on', 'yes', '2', '01', '-1', ' 1', '1 ', 'a'.repeat(400), '__proto__'],
    allowed: 'one of 0, 1',
  },
  {
    variable: 'ACCESS_LOG',
    field: 'accessLog',
    good: [
      ['0', 0],
      ['1', 1],
      ['1.0', 1],
      ['0.01', 0.01],
      ['.5', 0.5],
      ['0.000001', 0.000001],
    ],
    bad: [
      '1.1',
      '2',
      '-0.5',
      '+1',
      '1e-2',
      '0,5',
      '50%',
      '1.',
      '.',
      '0.0000001',
      ' 1',
      'all',
      'NaN',
      'Infinity',
      '9'.repeat(400),
    ],
    allowed: 'a number from 0 (none) to 1 (all), such as 0.01',
  },
  choice('LOG_LEVEL', 'logLevel', ['trace', 'debug', 'info', 'warn', 'error', 'silent']),
];

/** A value in the name of a test: short, and nothing that writes on a terminal. */
function labelOf(value: string): string {
  return JSON.stringify(value.slice(0, 40)).replaceAll(/[^ -~]/g, '?');
}

function refusalOf(env: Record<string, string>): string {
  try {
    parseConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error(`was taken: ${JSON.stringify(env)}`);
}

describe('defaults', () => {
  test('are what the documentation says', () => {
    expect(parseConfig({})).toEqual(DEFAULTS);
  });

  test('also hold for what is empty, as Compose passes on what is not set', () => {
    const empty = Object.fromEntries(
      [...ROWS.map((row) => row.variable), 'ADMIN_TOKEN'].map((one) => [one, '']),
    );
    expect(parseConfig(empty)).toEqual(DEFAULTS);
  });

  test('need no more replicas than there may be', () => {
    expect(parseConfig({ MAX_REPLICAS: '2' }).replicas).toBe(2);
  });

  test('do not look at variables of others', () => {
    expect(parseConfig({ PATH: '/bin', port: '1', REPLICA: 'x', toString: 'x' })).toEqual(DEFAULTS);
  });
});

test('the table has a row for every field', () => {
  expect([...ROWS.map((row) => row.field), 'adminToken'].sort()).toEqual(Object.keys(DEFAULTS).sort());
});

describe.each(ROWS.map((row) => [row.variable, row] as const))(
  '%s',
  (variable, { field, good, bad, allowed, given }) => {
    test.each(good.map(([value, parsed]) => [value, parsed] as const))('takes %j', (value, parsed) => {
      expect(parseConfig({ ...given, [variable]: value })[field]).toEqual(parsed);
    });

    test.each([...bad, UNPRINTABLE].map((value) => [labelOf(value), value] as const))(
      'refuses %s',
      (_, value) => {
        const message = refusalOf({ ...given, [variable]: value });
        expect(message).toStartWith(`${variable}="`);
        expect(message).toEndWith(` is not allowed: it must be ${allowed}`);
        expect(message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(message.length).toBeLessThan(400);
        // Enough of the value to be known again.
        if (/^[\w .:/-]{1,50}$/.test(value)) expect(message).toStartWith(`${variable}="${value}" `);
      },
    );
  },
);

test('no refusal writes control characters, whatever the value', () => {
  // What went wrong: JSON.stringify leaves DEL, the C1 controls (U+009B is "escape, [" in one) and U+2028 as they are.
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...UNPRINTABLE), { maxLength: 80 }).map((chars) => chars.join('')),
  );
  fc.assert(
    fc.property(fc.constantFrom(...ROWS), anyText, ({ variable, given }, value) => {
      try {
        parseConfig({ ...given, [variable]: value });
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        expect((error as Error).message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

describe('MAX_REPLICAS', () => {
  test.each([
    ['4', '3'],
    ['65', undefined],
    ['11', '10'],
  ])('%s replicas are refused where it is %p', (replicas, max) => {
    const message = refusalOf({ REPLICAS: replicas, ...(max === undefined ? {} : { MAX_REPLICAS: max }) });
    expect(message).toBe(
      `REPLICAS="${replicas}" is not allowed: it must be a whole number from 0 to ${max ?? '64'}`,
    );
  });

  test('lets as many in as it says', () => {
    expect(parseConfig({ REPLICAS: '100', MAX_REPLICAS: '100' })).toMatchObject({
      replicas: 100,
      maxReplicas: 100,
    });
  });
});

describe('HASH=course', () => {
  test.each([{ HASH: 'course' }, { SHADOW_HASH: 'course' }])('%j has room for 56 replicas', (env) => {
    expect(parseConfig(env).maxReplicas).toBe(56);
    expect(parseConfig({ ...env, MAX_REPLICAS: '56' }).maxReplicas).toBe(56);
    expect(refusalOf({ ...env, MAX_REPLICAS: '64' })).toBe(
      'MAX_REPLICAS="64" is not allowed: it must be a whole number from 1 to 56 with HASH=course or SHADOW_HASH=course, which has room for no more',
    );
  });

  test('has no weights', () => {
    const env = { HASH: 'course', RUNTIME: 'static', UPSTREAMS: 'a=h:1 weight=2' };
    expect(refusalOf(env)).toContain('without weights where HASH=course');
    expect(parseConfig({ ...env, UPSTREAMS: 'a=h:1 weight=1' }).upstreams).toHaveLength(1);
  });
});

test('SLOW_START_MS is for maps that let a share grow', () => {
  for (const HASH of ['ring', 'rendezvous'])
    expect(parseConfig({ HASH, SLOW_START_MS: '5000' }).slowStartMs).toBe(5000);
  for (const HASH of ['maglev', 'course', 'nginx', 'ketama'])
    expect(refusalOf({ HASH, SLOW_START_MS: '5000' })).toBe(
      `SLOW_START_MS="5000" is not allowed: it must be 0 with HASH=${HASH}: shares grow only with HASH=ring or rendezvous`,
    );
});

test('SHADOW_HASH is another algorithm than HASH', () => {
  expect(refusalOf({ HASH: 'maglev', SHADOW_HASH: 'maglev' })).toBe(
    'SHADOW_HASH="maglev" is not allowed: it must be another algorithm than HASH, which is maglev too',
  );
});

test('a weight in UPSTREAMS is as nginx writes it', () => {
  const { upstreams } = parseConfig({
    RUNTIME: 'static',
    UPSTREAMS: 'a=h:80 weight=3, b=h:81  weight=100,c=h:82',
  });
  expect(upstreams.map(({ name, weight }) => [name, weight])).toEqual([
    ['a', 3],
    ['b', 100],
    ['c', undefined],
  ]);
});

describe('UPSTREAMS', () => {
  test.each(['auto', 'docker', 'swarm', 'process', ''])('is refused where RUNTIME is %j', (runtime) => {
    expect(refusalOf({ RUNTIME: runtime, UPSTREAMS: 'a=h:80' })).toBe(
      'UPSTREAMS="a=h:80" is not allowed: it must be unset unless RUNTIME=static',
    );
  });

  test('of which one is wrong is refused with that one, however long the list', () => {
    const many = Array.from({ length: 60 }, (_, i) => `server-${i}=10.0.0.${i}:80`);
    for (const wrong of ['b=h:0', 'SERVER-7=h:1', 'b=10.0.0.7:80'])
      expect(refusalOf({ RUNTIME: 'static', UPSTREAMS: [...many, wrong].join(',') })).toStartWith(
        `UPSTREAMS="${wrong}" is not allowed`,
      );
  });

  test('may be none, and as many as MAX_REPLICAS says', () => {
    expect(parseConfig({ RUNTIME: 'static' })).toMatchObject({ runtime: 'static', upstreams: [] });
    const many = Array.from({ length: 65 }, (_, i) => `server-${i}=10.0.0.1:${i + 1}`).join(',');
    expect(refusalOf({ RUNTIME: 'static', UPSTREAMS: many })).toContain('at most 64 (MAX_REPLICAS)');
    expect(parseConfig({ RUNTIME: 'static', UPSTREAMS: many, MAX_REPLICAS: '65' }).upstreams).toHaveLength(
      65,
    );
  });

  // They would be started beside the upstreams, under names that no server has.
  test('are all there is to begin with, whatever REPLICAS says; what it says is still checked', () => {
    for (const env of [{}, { REPLICAS: '5' }, { UPSTREAMS: 'a=h:80' }])
      expect(parseConfig({ RUNTIME: 'static', ...env }).replicas).toBe(0);
    expect(refusalOf({ RUNTIME: 'static', REPLICAS: '65' })).toStartWith('REPLICAS="65" is not allowed');
  });
});

describe('an authority', () => {
  test.each([
    ['h:80', { host: 'h', port: 80 }],
    ['H.Example.:1', { host: 'h.example.', port: 1 }],
    ['127.1:80', { host: '127.0.0.1', port: 80 }],
    ['0x7f.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
    ['[0:0:0::0:1]:2', { host: '::1', port: 2 }],
    ['[FD00::A]:3', { host: 'fd00::a', port: 3 }],
    ['7up:4', { host: '7up', port: 4 }],
  ])('%s is %p', (text, address) => {
    expect(parseAuthority(text)).toEqual(address);
  });

  test.each([
    '',
    ':',
    ':80',
    'h',
    'h:',
    '::1:80',
    '[]:80',
    '[:]:80',
    '[::1',
    'h:1\n',
    '\nh:1',
    'h%41:80',
    'h\\:80',
  ])('%j is none', (text) => {
    expect(parseAuthority(text)).toBeUndefined();
  });

  test('is one text for each server, whatever its form, and never that of another', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const address = fc.record({
      octets: fc.tuple(octet, octet, octet, octet),
      port: fc.integer({ min: 1, max: 65_535 }),
    });
    const identity = (text: string): string =>
      authorityOf(parseAuthority(text) as { host: string; port: number });
    const plain = ({ octets, port }: { octets: number[]; port: number }): string =>
      `${octets.join('.')}:${port}`;
    fc.assert(
      fc.property(address, address, (one, other) => {
        const [a = 0, b = 0, c = 0, d = 0] = one.octets;
        const number = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
        for (const form of [`${number}`, `0x${number.toString(16)}`, `${a}.${b}.${c * 256 + d}`])
          expect(identity(`${form}:${one.port}`)).toBe(identity(plain(one)));
        expect(identity(plain(one)) === identity(plain(other))).toBe(plain(one) === plain(other));
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('ADMIN_TOKEN', () => {
  test.each(['12345678', '!~"\'<&>%20/+=', 'x'.repeat(512)])('takes %j', (token) => {
    expect(parseConfig({ ADMIN_TOKEN: token })).toEqual({ ...DEFAULTS, adminToken: token });
  });

  test.each(['short', 'has a space', 'x'.repeat(513), 'pässword', 'secret\nsecret', '\u001b[31msecret'])(
    'refuses a bad value without showing it, number %#',
    (token) => {
      expect(refusalOf({ ADMIN_TOKEN: token })).toBe(
        'ADMIN_TOKEN="(hidden)" is not allowed: it must be 8 to 512 printable characters',
      );
    },
  );

  test('is in no message about another variable', () => {
    for (const { variable, bad, given } of ROWS)
      for (const value of bad)
        expect(refusalOf({ ...given, ADMIN_TOKEN: 'hunter2-hunter2', [variable]: value })).not.toContain(
          'hunter2',
        );
  });
});

describe('REPLICA_COMMAND', () => {
  test.each([
    ['a', ['a']],
    ['  a   b  ', ['a', 'b']],
    [`a "b c" 'd e'`, ['a', 'b c', 'd e']],
    [`sh -c 'echo "hi there" && exec x'`, ['sh', '-c', 'echo "hi there" && exec x']],
    [`"it's"`, [`it's`]],
    [`a"b c"d'e f'g`, ['ab cde fg']],
    [`"" a ''`, ['', 'a', '']],
    [`--x="y z"`, ['--x=y z']],
    [`a\\b`, ['a\\b']],
    [`$HOME ; rm *`, ['$HOME', ';', 'rm', '*']],
  ])('%j is split as %j', (command, words) => {
    expect(parseConfig({ REPLICA_COMMAND: command }).replicaCommand).toEqual(words);
  });

  const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  /** The word with each of its characters in the quotes that can hold it. */
  const quotedWord = (text: string): string =>
    text.replaceAll(/[^']+|'+/g, (part) => (part.startsWith("'") ? `"${part}"` : `'${part}'`));

  test('gives back any words that were quoted', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
        const command = words.map(quotedWord).join(' ');
        expect(parseConfig({ REPLICA_COMMAND: command }).replicaCommand).toEqual(words);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('is refused with one quote more, wherever it is, unless that closes another', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', ' ', '"', "'"), { minLength: 1, maxLength: 12 }),
        (characters) => {
          const command = characters.join('');
          const words = wordsOf(command);
          if (words === undefined) refusalOf({ REPLICA_COMMAND: command });
          else expect(parseConfig({ REPLICA_COMMAND: command }).replicaCommand).toEqual(words);
        },
      ),
      { seed: SEED, numRuns: 2000 },
    );
  });
});

/** Words of a command, read one character at a time; undefined where there is none or a quote stays open. */
function wordsOf(command: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const character of command) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === ' ') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (word !== undefined) words.push(word);
  return quote !== undefined || words.length === 0 ? undefined : words;
}

test('what is parsed cannot be changed, at any depth', () => {
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every((one) => frozen(one)));
  expect(frozen(parseConfig({}))).toBe(true);
  expect(
    frozen(parseConfig({ HASH_KEY: 'query:a,path', REPLICA_COMMAND: 'a b', ALLOWED_HOSTS: 'a.example' })),
  ).toBe(true);
  expect(
    frozen(parseConfig({ RUNTIME: 'static', UPSTREAMS: 'a=h:1', TRUSTED_PROXIES: '10.0.0.0/8,::1' })),
  ).toBe(true);
});
