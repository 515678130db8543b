import { describe, expect, test } from 'bun:test';
import { grade } from '../../../src/lab/grade/grade.ts';
import { POINTS } from '../../../src/lab/grade/points.ts';
import { Unreachable } from '../../../src/lab/grade/scene.ts';
import { exitCodeOf, scoreLines, pointLines } from '../../../src/lab/grade/verdict.ts';
import { hash32 } from '../../../src/ring/hash.ts';
import { freePort, spawnRingmaster } from '../../spawned.ts';
import { Fake, type Asked, type FakeOptions, type Reply } from './fake.ts';
import { CALL_TIMEOUT_MS, cameOf, gradeFake, gradeUrl, marked } from './grading.ts';

const PATIENCE_MS = 60_000;
/** Where the server is known not to answer. */
const HANGING_TIMEOUT_MS = 150;

const is = ({ method, path }: Asked, call: string): boolean => `${method} ${path}` === call;
const namesOf = ({ body }: Asked): string[] => (body?.hostnames as string[] | undefined) ?? [];
const countOf = ({ body }: Asked): number => Number(body?.n);
const INTERNAL: Reply = { status: 500, body: { message: 'oh', status: 'failure' } };

describe('an implementation that keeps the contract', () => {
  test(
    'a Ringmaster passes every point, with each of its algorithms, and is left as it was',
    async () => {
      for (const HASH of ['ring', 'course']) {
        const ringmaster = await spawnRingmaster({ RUNTIME: 'process', HASH });
        const verdict = await gradeUrl(ringmaster.url);
        expect(marked(verdict, 'pass')).toEqual(POINTS.map(({ id }) => id));
        expect(verdict.left).toBeUndefined();
        const { replicas } = (await (await fetch(`${ringmaster.url}/rep`)).json()) as { replicas: string[] };
        expect(replicas.toSorted()).toEqual(['server-1', 'server-2', 'server-3']);
        expect(await ringmaster.end('SIGTERM')).toBe(0);
      }
    },
    PATIENCE_MS,
  );

  test('a plain one passes every point', async () => {
    const { verdict, fake } = await gradeFake({});
    expect(marked(verdict, 'pass')).toEqual(POINTS.map(({ id }) => id));
    expect([verdict.left, exitCodeOf(verdict)]).toEqual([undefined, 0]);
    expect(fake.names.toSorted()).toEqual(['Server 1', 'Server 2', 'Server 3']);
  });

  test('one in the shape of the assignment passes what can be seen of it, and nothing fails', async () => {
    const { verdict, fake } = await gradeFake({ original: true });
    expect(marked(verdict, 'not tried')).toEqual([
      'same-id',
      'map-request',
      'add-moves',
      'rm-moves',
      'keys-return',
    ]);
    expect(marked(verdict, 'fail')).toEqual([]);
    // Nobody asks for /map_request, so that it does not count.
    expect([verdict.notTried, exitCodeOf(verdict)]).toEqual([4, 0]);
    expect(fake.names.toSorted()).toEqual(['Server 1', 'Server 2', 'Server 3']);
  });

  test('one that has a single server is given a second for as long as it takes', async () => {
    const { verdict, fake } = await gradeFake({ names: ['only'] });
    expect(marked(verdict, 'fail')).toEqual([]);
    expect(fake.names).toEqual(['only']);
  });
});

/** Ways to greet that are not the name in /rep: the assignment asks for an id, and does not say which. */
const GREETS: readonly (readonly [string, (name: string) => string])[] = [
  ['its number', (name) => /[0-9]+$/.exec(name)?.[0] ?? name],
  ['the same in small letters', (name) => name.toLowerCase().replace(' ', '-')],
  ['the id of its container', (name) => hash32(name).toString(16)],
];

describe('servers that call themselves otherwise than /rep does', () => {
  test.each(GREETS)('by %s pass every point that can be seen', async (_, greets) => {
    // Its /map_request says names as /rep does.
    const { verdict } = await gradeFake({ greets });
    expect(marked(verdict, 'pass')).toEqual(POINTS.map(({ id }) => id));
    expect(exitCodeOf(verdict)).toBe(0);
  });

  test.each(GREETS)('by %s are found out where one answers after its removal', async (_, greets) => {
    const gone = new Set<string>();
    const { verdict } = await gradeFake({ greets, twist: haunted(gone) });
    expect(marked(verdict, 'fail')).toEqual(['rm-ends']);
  });

  test.each(GREETS)('by %s are found out where keys are placed by a modulo', async (_, greets) => {
    const { verdict } = await gradeFake({
      greets,
      twist: (fake, asked) => {
        const owner = fake.names[hash32(asked.id ?? '') % fake.names.length] ?? '';
        if (is(asked, 'GET /home')) return fake.hello(owner);
        return is(asked, 'GET /map_request') ? { status: 200, body: { mapped_server: owner } } : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['add-moves']);
  });

  test('are as many as /rep lists, and one more is found', async () => {
    for (const [, greets] of GREETS) {
      const { verdict } = await gradeFake({
        greets,
        twist: (fake, asked) =>
          is(asked, 'GET /home') && hash32(`z${asked.id}`) % 5 === 0 ? fake.hello('zombie-77') : undefined,
      });
      expect(marked(verdict, 'fail')).toEqual(['home-listed']);
    }
  });
});

describe('an implementation that breaks one point fails that point and no other', () => {
  const breaks: readonly (readonly [string, NonNullable<FakeOptions['twist']>])[] = [
    [
      'rep',
      (fake, asked) =>
        is(asked, 'GET /rep') ? { status: 200, body: { N: 99, replicas: fake.names } } : undefined,
    ],
    [
      'home',
      (_, asked) =>
        is(asked, 'GET /home')
          ? { status: 200, body: { message: 'Hello', status: 'successful' } }
          : undefined,
    ],
    ['heartbeat', (_, asked) => (is(asked, 'GET /heartbeat') ? INTERNAL : undefined)],
    [
      'same-id',
      (fake, asked) => (is(asked, 'GET /home') ? fake.hello(fake.owner(String(fake.drawn++))) : undefined),
    ],
    ['spread', (fake, asked) => (asked.id === null ? undefined : first(fake, asked))],
    [
      'map-request',
      (fake, asked) =>
        is(asked, 'GET /map_request')
          ? { status: 200, body: { mapped_server: `${fake.names[0]}x` } }
          : undefined,
    ],
    [
      'unknown-path',
      (_, asked) => (asked.path === '/no-such-endpoint' ? { status: 200, body: 'ok' } : undefined),
    ],
    [
      'add-fewer-names',
      (fake, asked) =>
        is(asked, 'POST /add') && namesOf(asked).length === 1 && countOf(asked) === 2
          ? fake.add(namesOf(asked), 1)
          : undefined,
    ],
    [
      'add-no-names',
      (_, asked) =>
        is(asked, 'POST /add') && namesOf(asked).length === 0 && countOf(asked) === 1 ? INTERNAL : undefined,
    ],
    [
      'add-too-many-names',
      (_, asked) =>
        is(asked, 'POST /add') && namesOf(asked).length > countOf(asked)
          ? { status: 400, body: { message: '<Error> too many', status: 'failure' } }
          : undefined,
    ],
    [
      'add-bad-n',
      (fake, asked) => (is(asked, 'POST /add') && countOf(asked) === -1 ? fake.add([], 1) : undefined),
    ],
    [
      'add-duplicates',
      (fake, asked) =>
        is(asked, 'POST /add') && new Set(namesOf(asked)).size < namesOf(asked).length
          ? fake.add([...new Set(namesOf(asked))], 1)
          : undefined,
    ],
    [
      // The name is made of the number of servers.
      'made-up-names',
      (fake, asked) =>
        is(asked, 'POST /add') && namesOf(asked).length === 0 && countOf(asked) > 0
          ? fake.add(
              Array.from({ length: countOf(asked) }, (_, i) => `S${fake.names.length + 1 + i}`),
              countOf(asked),
            )
          : undefined,
    ],
    [
      'add-names',
      (fake, asked) => {
        const reply = fake.answer(asked);
        return asked.path === '/add' && reply.status === 200 ? { ...reply, status: 201 } : reply;
      },
    ],
    [
      'rm-names',
      (fake, asked) => {
        const reply = fake.answer(asked);
        return asked.path === '/rm' && reply.status === 200
          ? { ...reply, body: { message: { N: 0, replicas: [] }, status: 'successful' } }
          : reply;
      },
    ],
    [
      // One helper makes all errors: it is one mistake.
      'unknown-path',
      (fake, asked) => ({ ...fake.answer(asked), status: 200 }),
    ],
    ['rm-ends', haunted(new Set())],
    ['bad-json', (_, asked) => (asked.isBroken ? INTERNAL : undefined)],
    [
      'rm-no-names',
      (fake, asked) =>
        is(asked, 'DELETE /rm') && countOf(asked) === 1 && namesOf(asked).length === 0
          ? fake.changed()
          : undefined,
    ],
    [
      // It removes those that it is given, and chooses only where it is given none.
      'rm-fewer-names',
      (fake, asked) =>
        is(asked, 'DELETE /rm') && namesOf(asked).length === 1 && countOf(asked) === 2
          ? fake.remove(namesOf(asked), 1)
          : undefined,
    ],
    [
      'every-id',
      (_, asked) => (is(asked, 'GET /home') && hash32(`w${asked.id}`) % 20 === 0 ? INTERNAL : undefined),
    ],
    [
      // The heartbeat is handed on as requests are.
      'every-id',
      (fake, asked) =>
        (is(asked, 'GET /home') && hash32(`w${asked.id}`) % 20 > 2) || is(asked, 'GET /heartbeat')
          ? INTERNAL
          : fake.answer(asked),
    ],
    ['rm-moves', placedBy((fake, key) => numberedByPlace(fake.names, key))],
    ['add-moves', cached(new Map())],
    [
      'alike-names',
      placedBy((fake, key) => {
        // Who has the same last digit has the same points, which are of the last that joined.
        const byDigit = new Map(fake.names.map((name) => [name.slice(-1), name]));
        const digit = [...byDigit.keys()].toSorted(
          (a, b) => hash32(`${b}|${key}`) - hash32(`${a}|${key}`),
        )[0];
        return byDigit.get(digit ?? '') ?? '';
      }),
    ],
    [
      'rm-too-many-names',
      (fake, asked) =>
        is(asked, 'DELETE /rm') && namesOf(asked).length > countOf(asked) && countOf(asked) === 1
          ? fake.remove(namesOf(asked).slice(0, 1), 1)
          : undefined,
    ],
    [
      'rm-bad-n',
      (fake, asked) => (is(asked, 'DELETE /rm') && asked.body?.n === 'two' ? fake.remove([], 2) : undefined),
    ],
    [
      'rm-unknown',
      (fake, asked) =>
        is(asked, 'DELETE /rm') &&
        countOf(asked) === 1 &&
        namesOf(asked).some((name) => !fake.names.includes(name))
          ? fake.remove([], 1)
          : undefined,
    ],
    [
      'rm-too-many',
      (fake, asked) =>
        is(asked, 'DELETE /rm') && namesOf(asked).length === 0 && countOf(asked) > fake.names.length
          ? fake.remove([], fake.names.length)
          : undefined,
    ],
    [
      'errors',
      (fake, asked) => {
        const reply = fake.answer(asked);
        if (reply.status < 400) return reply;
        return { ...reply, body: `<h1>${(reply.body as { message: string }).message}</h1>` };
      },
    ],
  ];

  test.each(breaks)('%s', async (id, twist) => {
    const { verdict, fake } = await gradeFake({ twist });
    expect(marked(verdict, 'fail')).toEqual([id]);
    expect([exitCodeOf(verdict), verdict.left]).toEqual([1, undefined]);
    expect(fake.names.toSorted()).toEqual(['Server 1', 'Server 2', 'Server 3']);
  });

  test('home that does not greet fails where greetings are read', async () => {
    const { verdict } = await gradeFake({
      twist: (_, asked) => (is(asked, 'GET /home') ? { status: 200, body: 'Hello' } : undefined),
    });
    expect(marked(verdict, 'fail')).toContain('home');
    expect(marked(verdict, 'pass')).toContain('add-names');
  });

  test('keys placed by a modulo fail add-moves, and not rm-moves for the same reason', async () => {
    const owner = (fake: Fake, id: string): string => fake.names[hash32(id) % fake.names.length] ?? '';
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (is(asked, 'GET /home')) return fake.hello(owner(fake, asked.id ?? ''));
        return is(asked, 'GET /map_request')
          ? { status: 200, body: { mapped_server: owner(fake, asked.id ?? '') } }
          : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['add-moves']);
    expect(cameOf(verdict, 'rm-moves')).toBe("depends on 'add-moves', which failed");
  });

  test('a map that remembers who was in before fails keys-return', async () => {
    const epochs = new Map<Fake, number>();
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        const epoch = epochs.get(fake) ?? 0;
        if (is(asked, 'DELETE /rm')) epochs.set(fake, epoch + 1);
        // One key in 20 is another with each server that has left.
        const key = hash32(`e${asked.id}`) % 20 === 0 ? `${asked.id}/${epoch}` : (asked.id ?? '');
        if (is(asked, 'GET /home')) return fake.hello(fake.owner(key));
        return is(asked, 'GET /map_request')
          ? { status: 200, body: { mapped_server: fake.owner(key) } }
          : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['keys-return']);
  });

  test('requests that fail while a server joins fail add-under-load', async () => {
    // Only under load does a request come while an /add is under way.
    let joining = false;
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (is(asked, 'POST /add') && countOf(asked) === 1 && namesOf(asked).length === 1) {
          if (fake.names.includes(namesOf(asked)[0] ?? '')) return undefined;
          joining = true;
          setTimeout(() => {
            joining = false;
            fake.add(namesOf(asked), 1);
            asked.raw.end(JSON.stringify(fake.changed().body));
          }, 30);
          return 'done';
        }
        return joining && is(asked, 'GET /home') ? INTERNAL : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['add-under-load']);
  });

  test('a first id that is not answered fails every-id, and not home', async () => {
    const { verdict } = await gradeFake({
      twist: (_, asked) => (is(asked, 'GET /home') && Number(asked.id) < 200_000 ? INTERNAL : undefined),
    });
    expect(marked(verdict, 'fail')).toEqual(['every-id']);
    expect(cameOf(verdict, 'every-id')).toMatch(/^id 1\d{5}: 500 .*; [0-9]+ of 120 ids were answered$/);
    expect(cameOf(verdict, 'same-id')).toBe("depends on 'every-id', which failed");
  });

  test('a variable that requests share fails same-id, and is no id that the balancer draws', async () => {
    let target = '';
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (!is(asked, 'GET /home')) return undefined;
        target = fake.owner(asked.id ?? '');
        setTimeout(() => asked.raw.end(JSON.stringify(fake.hello(target).body)), 2);
        return 'done';
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['same-id']);
    expect(cameOf(verdict, 'same-id')).toContain('a variable that requests share');
  });

  test('ids that are drawn, nearly all for one server, are no variable that requests share', async () => {
    const { verdict } = await gradeFake({
      original: true,
      twist: (fake, asked) => {
        if (!is(asked, 'GET /home')) return undefined;
        const [first = '', second = ''] = fake.names;
        return fake.hello(hash32(`d${fake.drawn++}`) % 50 === 0 ? second : first);
      },
    });
    expect(marked(verdict, 'fail')).toEqual([]);
    expect(marked(verdict, 'not tried')).toContain('same-id');
  });

  test(
    'servers that are ready only a moment after /add fail add-under-load, and no other point',
    async () => {
      const readyMs = 100;
      const born = new Map<string, number>();
      const { verdict } = await gradeFake({
        twist: (fake, asked) => {
          const reply = fake.answer(asked);
          for (const name of fake.names)
            if (!born.has(name)) born.set(name, is(asked, 'POST /add') ? performance.now() : -Infinity);
          for (const name of born.keys()) if (!fake.names.includes(name)) born.delete(name);
          const isLate = performance.now() - (born.get(fake.owner(asked.id ?? '')) ?? 0) < readyMs;
          return is(asked, 'GET /home') && isLate ? INTERNAL : reply;
        },
      });
      expect(marked(verdict, 'fail')).toEqual(['add-under-load']);
      expect(marked(verdict, 'not tried')).toEqual([]);
    },
    PATIENCE_MS,
  );

  test(
    'an id that is sent to a server which has left fails rm-ends, with its name',
    async () => {
      const orphans = new Map<string, string>();
      const { verdict } = await gradeFake({
        twist: (fake, asked) => {
          const before = [...fake.names];
          if (is(asked, 'DELETE /rm')) {
            const reply = fake.answer(asked);
            for (const name of before) if (!fake.names.includes(name)) orphans.set(name.slice(-1), name);
            return reply;
          }
          const name = orphans.get(String(hash32(`o${asked.id}`) % 50));
          return is(asked, 'GET /home') && name !== undefined
            ? { status: 500, body: { message: `<Error> KeyError('${name}')`, status: 'failure' } }
            : undefined;
        },
      });
      expect(marked(verdict, 'fail')).toEqual(['rm-ends']);
      expect(cameOf(verdict, 'rm-ends')).toMatch(
        /^after \/rm of (\S+), id [0-9]+ is answered with 500 .*: is \1 still on the ring\?$/,
      );
      for (const id of ['add-moves', 'rm-moves', 'keys-return', 'rm-under-load'])
        expect(cameOf(verdict, id)).toBe("depends on 'rm-ends', which failed");
    },
    PATIENCE_MS,
  );

  test.each([
    ['that are stopped before they leave fail rm-under-load', Infinity, ['rm-under-load']],
    ['that take along the requests that they had begun do not', 3, []],
  ])('servers %s', async (_, lost, failed) => {
    let failing = 0;
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (is(asked, 'DELETE /rm') && countOf(asked) === 2 && namesOf(asked).length === 2) {
          failing = lost;
          setTimeout(() => {
            failing = 0;
            const reply = fake.answer(asked);
            asked.raw.statusCode = reply.status;
            asked.raw.end(JSON.stringify(reply.body));
          }, 30);
          return 'done';
        }
        return is(asked, 'GET /home') && failing-- > 0 ? INTERNAL : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual([...failed]);
  });

  test('a balancer that ends at an /add fails that, and is not said to lack a list', async () => {
    await using fake = await Fake.open({
      twist: (self, asked) => {
        if (!is(asked, 'POST /add')) return undefined;
        asked.raw.destroy();
        void self[Symbol.asyncDispose]();
        return 'done';
      },
    });
    const verdict = await gradeUrl(fake.url, 1000);
    expect(marked(verdict, 'fail')).toEqual(['add-names']);
    expect(cameOf(verdict, 'add-names')).toMatch(
      /^POST \/add \{"n":2,.*\}: no reply: .*, and after it nothing answers$/,
    );
  });

  test.each([
    [
      'the list from before',
      ['Server 1', 'Server 2', 'Server 3'],
      'lists the servers from before it: Server 1',
    ],
    ['another list', ['Server 1'], 'lists Server 1, and /rep lists Server 1, Server 2'],
  ])('an /add that answers with %s is told so', async (_, replicas, text) => {
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        const reply = fake.answer(asked);
        const body = { message: { N: replicas.length, replicas }, status: 'successful' };
        return is(asked, 'POST /add') && reply.status === 200 ? { status: 200, body } : reply;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['add-names']);
    expect(cameOf(verdict, 'add-names')).toStartWith('the change was made, but the reply ');
    expect(cameOf(verdict, 'add-names')).toContain(text);
  });

  test('new servers that get no key are told from keys that move too much', async () => {
    const { verdict } = await gradeFake({ twist: cached(new Map()) });
    expect(cameOf(verdict, 'add-moves')).toStartWith(
      'the new servers got no key at all: are old answers cached',
    );
  });

  test('an /rm that only says that it removes fails rm-names, and what is left is told', async () => {
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (!is(asked, 'DELETE /rm')) return undefined;
        const before = [...fake.names];
        const reply = fake.answer(asked);
        fake.names = before;
        return reply;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['rm-names']);
    for (const id of ['rm-no-names', 'rm-moves', 'keys-return'])
      expect(cameOf(verdict, id)).toBe("depends on 'rm-names', which failed");
    expect(verdict.left).toStartWith('there are still ');
    expect(exitCodeOf(verdict)).toBe(1);
  });

  test('an /rm that takes another server fails rm-names and no other point', async () => {
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        const names = namesOf(asked);
        const other = fake.names.find((name) => !names.includes(name));
        if (!is(asked, 'DELETE /rm') || names.length !== 1 || other === undefined) return undefined;
        return fake.names.includes(names[0] ?? '') && countOf(asked) === 1
          ? fake.remove([other], 1)
          : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['rm-names']);
  });

  test('an /add that does nothing fails add-names, and what needs servers of its own is not tried', async () => {
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (!is(asked, 'POST /add')) return undefined;
        const before = [...fake.names];
        const reply = fake.answer(asked);
        fake.names = before;
        return reply;
      },
    });
    expect(marked(verdict, 'fail')).toEqual(['add-names']);
    for (const id of ['add-no-names', 'rm-names', 'add-moves', 'rm-ends'])
      expect(cameOf(verdict, id)).toBe("depends on 'add-names', which failed");
  });

  test('a server that ends at a body that is no JSON fails bad-json, and nothing else is lost', async () => {
    await using fake = await Fake.open({
      twist: (self, asked) => {
        if (!asked.isBroken) return undefined;
        asked.raw.destroy();
        void self[Symbol.asyncDispose]();
        return 'done';
      },
    });
    const verdict = await gradeUrl(fake.url, 1000);
    expect(marked(verdict, 'fail')).toEqual(['bad-json']);
    expect(cameOf(verdict, 'bad-json')).toContain('after it nothing answers');
    expect(verdict.left).toBe('it does not answer any more');
  });

  test('names that are taken may be replaced by names that are made up', async () => {
    let made = 0;
    const { verdict } = await gradeFake({
      twist: (fake, asked) => {
        if (!is(asked, 'POST /add') || namesOf(asked).length > countOf(asked)) return undefined;
        const taken = new Set(fake.names);
        const names = namesOf(asked).map((name) => {
          const own = taken.has(name) ? `made-up-${++made}` : name;
          taken.add(own);
          return own;
        });
        return names.length > 0 ? fake.add(names, countOf(asked)) : undefined;
      },
    });
    expect(marked(verdict, 'fail')).toEqual([]);
  });

  test('one that loses a server says so at the end', async () => {
    const { verdict } = await gradeFake({
      twist: (fake, asked) =>
        is(asked, 'POST /add') && namesOf(asked).includes('Server 1') && !fake.names.includes('Server 1')
          ? { status: 500, body: { message: 'no', status: 'failure' } }
          : undefined,
    });
    expect(verdict.left).toBe('Server 1 did not come back');
    expect(scoreLines(verdict)).toContain(
      'the servers are NOT as they were found: Server 1 did not come back',
    );
  });
});

describe('a server that does not behave', () => {
  const hostile: readonly (readonly [string, (asked: Asked) => void])[] = [
    ['hangs', () => {}],
    ['hangs in the midst of its reply', ({ raw }) => void raw.write('{"message":')],
    ['resets the connection', ({ raw }) => void raw.socket?.resetAndDestroy()],
    [
      'closes the connection in the midst of its reply',
      ({ raw }) => {
        raw.writeHead(200, { 'content-length': 1000 });
        raw.write('x', () => raw.socket?.destroy());
      },
    ],
    ['sends what is no HTTP', ({ raw }) => void raw.socket?.end('\u0000\u0001 garbage\r\n\r\n')],
    [
      'sends a reply without end',
      ({ raw }) => {
        const more = (): void => {
          if (!raw.destroyed) raw.write('x'.repeat(65_536), () => setTimeout(more, 1));
        };
        raw.on('error', () => {});
        more();
      },
    ],
    ['redirects to itself', ({ raw, path }) => void raw.writeHead(302, { location: path }).end()],
  ];

  test.each(hostile)(
    'that %s at /home fails that once, and ends in time',
    async (_, act) => {
      const { verdict } = await gradeFake(
        {
          twist: (__, asked) => {
            if (!is(asked, 'GET /home')) return undefined;
            act(asked);
            return 'done';
          },
        },
        HANGING_TIMEOUT_MS,
      );
      expect(marked(verdict, 'fail')).toEqual(['home']);
      for (const id of ['same-id', 'spread', 'add-under-load', 'rm-ends'])
        expect(cameOf(verdict, id)).toBe("depends on 'home', which failed");
      expect(marked(verdict, 'pass')).toEqual(
        expect.arrayContaining(['rep', 'add-names', 'rm-names', 'errors']),
      );
      expect(verdict.left).toBeUndefined();
    },
    PATIENCE_MS,
  );

  test.each(hostile.filter(([what]) => what !== 'redirects to itself'))(
    'that %s at everything can not be graded',
    async (_, act) => {
      const twist = (__: Fake, asked: Asked): 'done' => {
        act(asked);
        return 'done';
      };
      await expect(gradeFake({ twist }, HANGING_TIMEOUT_MS)).rejects.toBeInstanceOf(Unreachable);
    },
    PATIENCE_MS,
  );

  test('that falls silent half-way is left alone, and what is left is not tried', async () => {
    let calls = 0;
    const { verdict } = await gradeFake(
      {
        twist: (_, asked) =>
          is(asked, 'POST /add') && ++calls >= 1 ? 'done' : calls > 0 ? 'done' : undefined,
      },
      HANGING_TIMEOUT_MS,
    );
    expect(marked(verdict, 'fail')).toEqual(['add-names']);
    expect(marked(verdict, 'not tried')).toContain('rm-names');
    expect(verdict.points.at(-2)?.came).toBe('the server does not answer any more');
  });

  test('nobody at the URL can not be graded', async () => {
    await expect(gradeUrl(`http://127.0.0.1:${await freePort()}`)).rejects.toBeInstanceOf(Unreachable);
  });

  test('its text can not write on the terminal', async () => {
    const { verdict } = await gradeFake({
      twist: (_, asked) =>
        is(asked, 'GET /heartbeat')
          ? { status: 500, body: `\u001b[2J\u009b31m\u202e\r\n${'x'.repeat(5000)}` }
          : undefined,
    });
    const point = verdict.points.find(({ id }) => id === 'heartbeat');
    const printed = point === undefined ? '' : pointLines(point, { colour: false, columns: 80 });
    expect(printed).toContain('\\u{1b}[2J\\u{9b}31m\\u{202e}');
    expect(printed).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
    expect(point?.came.length).toBeLessThanOrEqual(300);
  });

  test('interrupted, it puts servers back, and leaves the rest', async () => {
    await using fake = await Fake.open();
    const stopping = new AbortController();
    const verdict = await grade({
      url: fake.url,
      timeoutMs: CALL_TIMEOUT_MS,
      now: () => performance.now(),
      signal: stopping.signal,
      onPoint: ({ id }) => id === 'add-names' && stopping.abort(),
    });
    expect(marked(verdict, 'pass').at(-1)).toBe('add-names');
    expect(fake.names).toEqual(['Server 1', 'Server 2', 'Server 3']);
  });
});

/** Those that were removed go on answering for their keys. */
function haunted(gone: Set<string>): NonNullable<FakeOptions['twist']> {
  return (fake, asked) => {
    const before = [...fake.names];
    if (is(asked, 'DELETE /rm')) {
      const reply = fake.answer(asked);
      for (const name of before) if (!fake.names.includes(name)) gone.add(name);
      return reply;
    }
    if (!is(asked, 'GET /home') && !is(asked, 'GET /map_request')) return undefined;
    for (const name of before) gone.delete(name);
    fake.names.push(...gone);
    const reply = fake.answer(asked);
    fake.names = before;
    return reply;
  };
}

/** Answers for keys with the server that is chosen. */
function placedBy(choose: (fake: Fake, key: string) => string): NonNullable<FakeOptions['twist']> {
  return (fake, asked) => {
    const owner = choose(fake, asked.id ?? '');
    if (is(asked, 'GET /home')) return fake.hello(owner);
    return is(asked, 'GET /map_request') ? { status: 200, body: { mapped_server: owner } } : undefined;
  };
}

/** Rendezvous hashing by the place in the list, of which the first has nearly all keys, as with the assignment's functions. */
function numberedByPlace(names: readonly string[], key: string): string {
  if (hash32(`f${key}`) % 3 > 0) return names[0] ?? '';
  const score = (name: string): number => hash32(`${names.indexOf(name)}|${key}`);
  return names.toSorted((a, b) => score(b) - score(a))[0] ?? '';
}

/** Who has answered for an id once answers for it until it leaves. */
function cached(answers: Map<string, string>): NonNullable<FakeOptions['twist']> {
  return placedBy((fake, key) => {
    const known = answers.get(key);
    const owner = known !== undefined && fake.names.includes(known) ? known : fake.owner(key);
    answers.set(key, owner);
    return owner;
  });
}

/** Answers everything with the first of the servers, so that ids do not spread. */
function first(fake: Fake, asked: Asked): Reply | undefined {
  const [name = ''] = fake.names;
  if (is(asked, 'GET /home')) return fake.hello(name);
  return is(asked, 'GET /map_request') ? { status: 200, body: { mapped_server: name } } : undefined;
}
