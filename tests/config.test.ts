import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import * as fc from 'fast-check';
import { ConfigError, parseConfig, type Config } from '../src/config.ts';

const SEED = 20260301;
// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);

const DEFAULTS: Config = {
  host: '0.0.0.0',
  port: 5000,
  runtime: 'auto',
  replicas: 3,
  maxReplicas: 64,
  cluster: 'ringmaster',
  replicaImage: undefined,
  replicaPort: 5000,
  replicaCommand: undefined,
  hashKey: [{ from: 'query', name: 'id' }],
  heartbeatPath: '/heartbeat',
  heartbeatIntervalMs: 1000,
  heartbeatFailures: 3,
  startTimeoutMs: 30_000,
  drainTimeoutMs: 10_000,
  replyHeaderTimeoutMs: 30_000,
  onExit: 'remove',
  adminToken: undefined,
  allowedHosts: [],
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
  choice('RUNTIME', 'runtime', ['auto', 'docker', 'process']),
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
  number('REPLY_HEADER_TIMEOUT_MS', 'replyHeaderTimeoutMs', 100, 3_600_000),
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
  (variable, { field, good, bad, allowed }) => {
    test.each(good.map(([value, parsed]) => [value, parsed] as const))('takes %j', (value, parsed) => {
      expect(parseConfig({ [variable]: value })[field]).toEqual(parsed);
    });

    test.each([...bad, UNPRINTABLE].map((value) => [labelOf(value), value] as const))(
      'refuses %s',
      (_, value) => {
        const message = refusalOf({ [variable]: value });
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
    fc.property(fc.constantFrom(...ROWS), anyText, ({ variable }, value) => {
      try {
        parseConfig({ [variable]: value });
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
    for (const { variable, bad } of ROWS)
      for (const value of bad)
        expect(refusalOf({ ADMIN_TOKEN: 'hunter2-hunter2', [variable]: value })).not.toContain('hunter2');
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
});
