import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  BODY_MAX_BYTES,
  cut,
  decide,
  refusalOfHead,
  type Asked,
  type EngineCall,
  type Inspected,
  type Verdict,
} from '../../../src/runtime/docker/gate.ts';
import { createTemplate, pidsOfWeight, templateSource } from '../../../src/runtime/docker/template.ts';
import type { InstanceSpec } from '../../../src/runtime/runtime.ts';

const SEED = 20261122;
const RUNS = 2000;
const ID = 'c4771d60c79e694909312d4414d73d2afbac4bc6e501517b39a0a17fc160e48a';
const source = templateSource(
  { cluster: 'ring', image: undefined, command: undefined, replicaPort: 5000 },
  { from: 'beside', network: 'ring_default', alias: true },
);
const spec: InstanceSpec = { name: 'a', order: 1, join: 'j', committed: true };

const asked = (line: string, body: unknown = ''): Asked => {
  const [method = '', target = ''] = line.split(' ');
  return { method, target, body: typeof body === 'string' ? body : JSON.stringify(body) };
};
const verdict = (line: string, body?: unknown): Verdict => decide(asked(line, body), source);
const filters = (value: unknown): string => `filters=${encodeURIComponent(JSON.stringify(value))}`;
const LIST = `/containers/json?all=true&${filters({ label: ['ringmaster.cluster=ring'] })}`;
const EVENTS = {
  type: ['container'],
  event: ['die', 'pause', 'unpause', 'destroy', 'rename', 'start'],
  label: ['ringmaster.cluster=ring'],
};
const CREATE = 'POST /containers/create?name=ring-a';
const refused = { refuse: expect.any(String) };

/** An inspection of a replica's container, and of what differs from it. */
const inspected = (more: { Name?: string; Image?: string; Labels?: object } = {}): Inspected => ({
  Id: ID,
  Name: more.Name ?? '/ring-a',
  Config: {
    Image: more.Image ?? source.image,
    Labels: { 'ringmaster.cluster': 'ring', 'ringmaster.name': 'a', ...more.Labels },
  },
});

describe('the gate lets through', () => {
  test.each([
    'GET /_ping',
    'HEAD /_ping',
    'GET /version',
    'GET /info',
    'GET /images/ringmaster:0.1.0/json',
    'GET /networks/ring_default',
    `GET /containers/${ID}/json`,
    'GET /containers/ring-a/json',
    `GET ${LIST}`,
    `GET /containers/json?all=true&${filters({ label: ['ringmaster.cluster=ring', 'ringmaster.name=a'] })}`,
    `GET /events?${filters(EVENTS)}`,
  ])('%s, as it is, and without the version that it may name', (line) => {
    const [method = '', path = ''] = line.split(' ');
    const call = { method, path: expect.stringMatching(/^\//) };
    expect(verdict(line)).toMatchObject({ call });
    const versioned = verdict(line.replace(' /', ' /v1.41/'));
    expect(versioned).toEqual(verdict(line));
    const sent = new URL((versioned as { call: EngineCall }).call.path, 'http://engine');
    expect(sent.pathname).toBe(path.split('?')[0] as string);
    expect([...sent.searchParams]).toEqual([...new URL(path, 'http://engine').searchParams]);
  });

  const actions = [
    ['POST', '/start', '', ''],
    ['POST', '/stop', '?t=10', '{"t":10}'],
    ['POST', '/rename', '?name=ring-a', '{"name":"ring-a"}'],
    ['GET', '/logs', '?stdout=true&stderr=true&tail=10', ''],
    ['DELETE', '', '?force=true&v=true', ''],
  ] as const;

  test.each(actions)('%s %s of a container of ours, by its id', (method, action, query, body) => {
    const found = verdict(`${method} /containers/ring-a${action}${query}`, body);
    expect(found).toMatchObject({ inspect: 'ring-a' });
    const { judge } = found as Extract<Verdict, { judge: unknown }>;
    const call = { method, path: `/containers/${ID}${action}${query}` };
    expect(judge(inspected())).toEqual({ call });
    for (const name of ['joining', 'healing', 'leaving'])
      expect(judge(inspected({ Name: `/ring.${name}-a` }))).toEqual({ call });
    if (action !== '/rename') expect(judge(inspected({ Name: '/ring.leaving1-a' }))).toEqual({ call });
  });

  test.each(actions)('%s %s of no other container', (method, action, query, body) => {
    const { judge } = verdict(`${method} /containers/ring-a${action}${query}`, body) as Extract<
      Verdict,
      { judge: unknown }
    >;
    for (const other of [
      inspected({ Name: '/ring-b' }),
      inspected({ Name: '/a' }),
      inspected({ Image: 'postgres:17' }),
      inspected({ Image: ID }),
      inspected({ Labels: { 'ringmaster.cluster': 'other' } }),
      inspected({ Labels: { 'ringmaster.name': 'b' } }),
      inspected({ Name: '/ring-', Labels: { 'ringmaster.name': '' } }),
      { Id: ID, Name: '/ring-a', Config: { Image: source.image, Labels: {} } },
    ])
      expect(judge(other)).toEqual({ refuse: 'a container that is not ours' });
  });

  const OWN_NAMES = ['ring-a', 'ring.healing-a', 'ring.joining-a', 'ring.leaving1-a', 'ring.leaving-a'];
  test.each<[from: string, to: string[]]>([
    ['ring-a', ['ring-a', 'ring.joining-a', 'ring.leaving1-a', 'ring.leaving-a']],
    ['ring.healing-a', ['ring-a', 'ring.joining-a', 'ring.leaving1-a', 'ring.leaving-a']],
    ['ring.joining-a', ['ring-a']],
    ['ring.leaving1-a', ['ring-a']],
    ['ring.leaving-a', ['ring-a', 'ring.leaving1-a']],
  ])('a rename of %s to the names that its mark may come to, and to no others', (from, allowed) => {
    const others = [
      'ring-b',
      'ring.leaving-b',
      'ring.leaving2-a',
      'a',
      'other-a',
      'other.leaving-a',
      'ring-A',
      '',
    ];
    for (const name of [...OWN_NAMES, ...others]) {
      const found = verdict(`POST /containers/${ID}/rename?name=${name}`, { name });
      const judged = 'judge' in found ? found.judge(inspected({ Name: `/${from}` })) : found;
      const call = { method: 'POST', path: `/containers/${ID}/rename?name=${name}` };
      expect(judged).toEqual(allowed.includes(name) ? { call } : refused);
    }
  });
});

describe('the note of a weight', () => {
  const asked = `POST /containers/${ID}/update`;
  const note = (body: unknown): Verdict => verdict(asked, JSON.stringify(body));

  test('passes for a container of ours, and of no other', () => {
    for (const weight of [1, 3, 100]) {
      const found = note({ PidsLimit: pidsOfWeight(weight) }) as Extract<Verdict, { judge: unknown }>;
      const call = { method: 'POST', path: `/containers/${ID}/update`, body: { PidsLimit: 256 + weight } };
      expect(found.judge(inspected())).toEqual({ call });
      expect(found.judge(inspected({ Name: '/ring-b' }))).toEqual({ refuse: 'a container that is not ours' });
    }
  });

  test.each([
    [{}],
    [null],
    [[]],
    [{ PidsLimit: 256 }],
    [{ PidsLimit: 357 }],
    [{ PidsLimit: 2 }],
    [{ PidsLimit: '257' }],
    [{ PidsLimit: 257.5 }],
    [{ pidslimit: 257 }],
    [{ PidsLimit: 257, pidslimit: 2 }],
    [{ PidsLimit: 257, Memory: 0 }],
    [{ PidsLimit: 257, CpuShares: 2 }],
    [{ PidsLimit: 257, RestartPolicy: { Name: 'always' } }],
    [{ PidsLimit: 257, Devices: [] }],
  ])('with %j is no such note', (body) => {
    expect(note(body)).toEqual(refused);
  });

  test('with a query, or without a body, is none either', () => {
    expect(verdict(`${asked}?a=b`, '{"PidsLimit":257}')).toEqual(refused);
    expect(verdict(asked)).toEqual(refused);
    expect(verdict(`POST /containers/../update`, '{"PidsLimit":257}')).toEqual(refused);
  });
});

describe('the gate refuses', () => {
  test.each([
    // Other calls.
    'POST /containers/a/kill',
    'POST /containers/a/exec',
    'POST /containers/a/attach?stream=1',
    'POST /containers/a/update',
    'POST /containers/a/restart',
    'POST /containers/prune',
    'GET /containers/a/export',
    'GET /containers/a/archive?path=/',
    'PUT /containers/a/archive?path=/',
    'GET /containers/a/attach/ws',
    'GET /containers/a/top',
    'GET /containers/a/changes',
    'POST /exec/a/start',
    'POST /build',
    'POST /session',
    'POST /grpc',
    'POST /commit?container=a',
    'POST /images/create?fromImage=a',
    'POST /images/load',
    'DELETE /images/ringmaster:0.1.0',
    'GET /images/json',
    'GET /images/other:1/json',
    'GET /networks',
    'POST /networks/create',
    'DELETE /networks/ring_default',
    'POST /networks/ring_default/connect',
    'GET /volumes',
    'POST /volumes/create',
    'POST /swarm/init',
    'GET /secrets',
    'POST /services/create',
    'POST /plugins/pull?remote=a',
    'GET /system/df',
    'POST /auth',
    'HEAD /info',
    'OPTIONS /_ping',
    'get /_ping',
    // Other arguments.
    'GET /_ping?a=b',
    'GET /info?a=b',
    'GET /containers/a/json?size=true',
    'POST /containers/a/start?detachKeys=a',
    'POST /containers/a/stop',
    'POST /containers/a/stop?t=-1',
    'POST /containers/a/stop?t=1&signal=KILL',
    'DELETE /containers/a',
    'DELETE /containers/a?force=true&v=true&link=true',
    'DELETE /containers/a?force=1&v=1',
    'GET /containers/a/logs?stdout=true&stderr=true&tail=10&follow=true',
    'GET /containers/a/logs?stdout=true&stderr=true&tail=all',
    // Other people's.
    'GET /containers/json',
    'GET /containers/json?all=true',
    `GET /containers/json?all=true&${filters({ label: ['ringmaster.cluster=other'] })}`,
    `GET /containers/json?all=true&${filters({ label: ['ringmaster.name=a'] })}`,
    `GET /containers/json?all=true&${filters({ label: [] })}`,
    `GET /containers/json?all=true&${filters({})}`,
    `GET /containers/json?all=true&${filters(null)}`,
    `GET /containers/json?all=true&${filters({ label: { 'ringmaster.cluster=ring': false } })}`,
    `GET /containers/json?all=true&filters={`,
    `GET ${LIST}&size=true`,
    'GET /events',
    `GET /events?${filters({ ...EVENTS, label: ['ringmaster.cluster=other'] })}`,
    `GET /events?${filters({ ...EVENTS, type: ['container', 'network'] })}`,
    `GET /events?${filters({ type: EVENTS.type, event: EVENTS.event })}`,
    `GET /events?${filters(EVENTS)}&since=0`,
    // What can be read in two ways.
    'GET //info',
    'GET /./info',
    'GET /x/../info',
    'GET /info/',
    'GET /info/.',
    'GET /%69nfo',
    'GET /info%2f',
    'GET /info#',
    'GET /info;a',
    'GET info',
    'GET http://docker/info',
    'GET \\info',
    'GET /v1.41/v1.41/info',
    'GET /v1.41//info',
    'GET /v2.0/info',
    'GET /v1.41',
    'GET /V1.41/info',
    'GET /containers/../info',
    'GET /containers/a%2f..%2fb/json',
    'GET /containers/a/../b/json',
    'GET /containers/./json',
    'GET /containers/.a/json',
    'GET /containers/-a/json',
    'GET /containers//json',
    'GET /networks/..',
    'GET /networks/a/b',
    `GET ${LIST}&all=true`,
    `GET ${LIST}&all=false`,
    `GET ${LIST}&${filters({})}`,
    `GET ${LIST}?${filters({})}`,
    'POST /containers/a/stop?t=1&t=-1',
    'POST /containers/a/stop?t=1;t=-1',
    '',
    'GET ',
    'GET *',
    'GET ?',
  ])('%s', (line) => expect(verdict(line)).toEqual(refused));

  test.each([
    ['POST /containers/a/start', { HostConfig: { Privileged: true } }],
    ['POST /containers/a/stop?t=1', { t: 2 }],
    ['POST /containers/a/stop?t=1', { signal: 'KILL' }],
    ['POST /containers/a/rename?name=ring-a', { name: 'other' }],
    ['GET /_ping', { a: 1 }],
    ['GET /_ping', '{'],
    ['GET /_ping', 'null'],
    [`GET ${LIST}`, '[1]'],
  ])('%s with the body %j', (line, body) => expect(verdict(line, body)).toEqual(refused));

  test.each([
    [{}, undefined],
    [{ 'content-length': '0' }, undefined],
    [{ 'content-length': String(BODY_MAX_BYTES) }, undefined],
    [{ 'content-length': String(BODY_MAX_BYTES + 1) }, expect.any(String)],
    [{ 'content-length': '1e9' }, expect.any(String)],
    [{ 'transfer-encoding': 'chunked' }, expect.any(String)],
    [{ 'transfer-encoding': 'gzip, chunked', 'content-length': '1' }, expect.any(String)],
    [{ 'transfer-encoding': '' }, expect.any(String)],
    [{ upgrade: 'tcp', connection: 'upgrade' }, expect.any(String)],
    [{ upgrade: 'h2c' }, expect.any(String)],
  ])('the head %j: %p', (headers, why) => expect(refusalOfHead(headers)).toEqual(why));

  test('whatever is put into a call that passes: it stays one of these, or it does not pass', () => {
    const calls = [
      '/_ping',
      '/info',
      '/networks/b',
      '/images/ringmaster:0.1.0/json',
      LIST,
      `/events?${filters(EVENTS)}`,
      '/containers/a/json',
      '/containers/a/start',
      '/containers/a/stop?t=1',
      '/containers/a/rename?name=ring-a',
      '/containers/a?force=true&v=true',
    ];
    const pieces =
      '/ // /.. /. %2f %2e %00 \\ ? & ; # : @ * é /v1.41 containers create json a exec attach start kill logs ' +
      'images networks info events build archive rename all=true t=1 name=ring-a force=true filters={}';
    const put = fc.record({ at: fc.nat(), piece: fc.constantFrom(' ', '\u0000', ...pieces.split(' ')) });
    const targets = fc.tuple(fc.constantFrom(...calls), fc.array(put, { maxLength: 3 })).map(([call, puts]) =>
      puts.reduce((text, { at, piece }) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + piece + text.slice(place);
      }, call),
    );
    const methods = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', '');
    const reads =
      /^\/(_ping|version|info|images\/ringmaster:0\.1\.0\/json|networks\/[\w.-]+|containers\/[\w.-]+\/json)$/;
    const filtered =
      /^\/(containers\/json\?all=true&|events\?)filters=[^&]*ringmaster\.cluster%3Dring%22[^&]*$/;
    const acts = /^\/containers\/c4771d[0-9a-f]{58}(|\/start|\/stop|\/logs|\/rename)(\?[a-z=&0-9-]+)?$/;
    let passed = 0;
    fc.assert(
      fc.property(methods, targets, (method, target) => {
        const first = decide({ method, target, body: '' }, source);
        const last = 'judge' in first ? first.judge(inspected()) : first;
        if ('refuse' in last) return;
        passed += 1;
        const { path } = (last as { call: EngineCall }).call;
        const expected = 'judge' in first ? acts : method === 'GET' ? [reads, filtered] : /^\/_ping$/;
        expect([expected].flat().some((one) => one.test(path))).toBe(true);
      }),
      { seed: SEED, numRuns: 10 * RUNS },
    );
    expect(passed).toBeGreaterThan(RUNS / 10);
  });
});

describe('a create', () => {
  test('is the template of what its labels claim, in any order of fields', () => {
    for (const committed of [true, false]) {
      const template = createTemplate(source, { ...spec, committed });
      const line = `POST /containers/create?name=${template.name}`;
      const call = { method: 'POST', path: line.slice('POST '.length), body: template };
      expect(verdict(line, template)).toEqual({ call });
      expect(verdict(line, Object.fromEntries(Object.entries(template).toReversed()))).toEqual({ call });
      expect(verdict(line.replace(' ', ' /v1.41'), template)).toEqual({ call });
    }
  });

  test('is so for every replica', () => {
    const specs = fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/),
      order: fc.maxSafeInteger(),
      weight: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
      join: fc.string(),
      committed: fc.boolean(),
    });
    fc.assert(
      fc.property(specs, (one) => {
        const template = createTemplate(source, one);
        const line = `POST /containers/create?name=${template.name}`;
        expect(verdict(line, template)).toEqual({
          call: { method: 'POST', path: line.slice('POST '.length), body: template },
        });
      }),
      { seed: SEED },
    );
  });

  test('of a weight is the template of that weight, and 1 is not said', () => {
    const { Labels: plain } = createTemplate(source, spec);
    expect(createTemplate(source, { ...spec, weight: 1 }).Labels).toEqual(plain ?? {});
    for (const weight of [2, 9, 10, 99, 100]) {
      const template = createTemplate(source, { ...spec, weight });
      expect(template.Labels).toEqual({ ...plain, 'ringmaster.weight': String(weight) });
      expect(verdict(CREATE, template)).toEqual({
        call: { method: 'POST', path: CREATE.slice('POST '.length), body: template },
      });
    }
  });

  test.each([0, 1, -1, 101, 1000, 1.5, '1', '0', '101', '02', '2 ', '1.5', '1e1', '+2', '', 'x', null, 3])(
    'of the weight %p in its label is refused',
    (weight) => {
      const template = createTemplate(source, spec);
      const body = { ...template, Labels: { ...template.Labels, 'ringmaster.weight': weight } };
      expect(verdict(CREATE, body)).toEqual(refused);
    },
  );

  test('under the name of one that leaves is refused', () => {
    for (const name of ['ring.leaving1-a', 'ring.leaving-a'])
      expect(verdict(`POST /containers/create?name=${name}`, createTemplate(source, spec, name))).toEqual(
        refused,
      );
  });

  test('with any change of its body is refused', () => {
    const template = createTemplate(source, spec);
    fc.assert(
      fc.property(mutations(template), (body) => {
        expect(decide({ ...asked(CREATE), body: JSON.stringify(body) }, source)).toEqual(refused);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  const template = createTemplate(source, spec);
  const host = (more: object) => ({ ...template, HostConfig: { ...template.HostConfig, ...more } });
  test.each([
    ['privileged', host({ Privileged: true })],
    ['with the host’s root', host({ Binds: ['/:/host'] })],
    ['with a mount', host({ Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] })],
    ['with an empty field more', host({ Binds: [] })],
    ['on the host’s network', host({ NetworkMode: 'host' })],
    ['on another network', host({ NetworkMode: 'bridge' })],
    ['in another container', host({ PidMode: 'container:a' })],
    ['with a capability', host({ CapAdd: ['SYS_ADMIN'] })],
    ['with less protection', host({ SecurityOpt: [] })],
    ['with published ports', host({ PortBindings: { '5000/tcp': [{ HostPort: '1' }] } })],
    ['of another image', { ...template, Image: 'oven/bun:1.4.5-slim' }],
    ['of another command', { ...template, Cmd: ['sh'] }],
    ['with an entrypoint', { ...template, Entrypoint: ['sh'] }],
    ['as root', { ...template, User: '0:0' }],
    ['with more environment', { ...template, Env: [...(template.Env ?? []), 'LD_PRELOAD=a'] }],
    ['of another cluster', createTemplate({ ...source, cluster: 'other' }, spec)],
    ['with a field in other case', { ...template, hostconfig: { Privileged: true } }],
    ['without labels', { ...template, Labels: {} }],
    ['with a label more', { ...template, Labels: { ...template.Labels, a: 'b' } }],
    ['of an order that is no number', createTemplate(source, { ...spec, order: Number.NaN })],
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['no JSON', '{'],
  ])('%s is refused', (_, body) => expect(verdict(CREATE, body)).toEqual(refused));

  test('of a name that is no replica’s is refused', () => {
    for (const name of ['', '.a', '-a', '_gate', '../a', 'a/b', 'a b', 'a\u0000', 'x'.repeat(64)]) {
      const one = createTemplate(source, { ...spec, name });
      expect(verdict(`POST /containers/create?name=${encodeURIComponent(one.name ?? '')}`, one)).toEqual(
        refused,
      );
    }
  });

  test('of one name in the query and another in the body is refused', () => {
    for (const query of [
      '',
      '?name=ring-b',
      '?name=ring-a&name=ring-a',
      '?name=ring-a&platform=a',
      '?Name=ring-a',
    ])
      expect(verdict(`POST /containers/create${query}`, template)).toEqual(refused);
  });

  // Go merges two fields of one name, where JSON.parse takes the last: what the engine gets must be what was compared.
  test('that says a field twice is sent on as the template, without the first', () => {
    const twice = JSON.stringify(template).replace('{', '{"HostConfig":{"Binds":["/:/host"]},');
    const found = verdict(CREATE, twice) as { call: EngineCall };
    expect(found.call.body).toEqual(template);
    expect(JSON.stringify(found)).not.toContain('Binds');
  });
});

test('what is shown of a container says nothing that the runtime does not read', () => {
  const found = verdict('GET /containers/other/json') as { call: EngineCall };
  const shown = cut(
    {
      Id: ID,
      Name: '/other',
      Path: 'a',
      Args: ['--password=secret'],
      State: { Status: 'running', Pid: 7, ExitCode: 0, OOMKilled: false },
      Config: { Image: 'postgres', Env: ['PASSWORD=secret'], Labels: { auth: 'secret' }, Cmd: ['secret'] },
      HostConfig: { Binds: ['/secret:/a'], PidsLimit: 259 },
      Mounts: [{ Source: '/secret' }],
      NetworkSettings: { Ports: {}, Networks: { n: { IPAddress: '10.0.0.1', DriverOpts: { a: 'secret' } } } },
    },
    found.call.shown ?? true,
  );
  expect(shown).toEqual({
    Id: ID,
    Name: '/other',
    State: { Status: 'running', ExitCode: 0, OOMKilled: false },
    Config: { Image: 'postgres' },
    HostConfig: { PidsLimit: 259 },
    NetworkSettings: { Ports: {}, Networks: { n: { IPAddress: '10.0.0.1' } } },
  });
});

/** A JSON value with one change somewhere: a field gone, added or of another value; an item gone, added or moved. */
function mutations(whole: object): fc.Arbitrary<unknown> {
  // These two may be anything, for each replica has its own.
  const free = new Set(['Labels.ringmaster.order', 'Labels.ringmaster.join']);
  const places: string[][] = [];
  const walk = (value: unknown, path: string[]): void => {
    if (typeof value !== 'object' || value === null) return;
    places.push(path);
    for (const [field, one] of Object.entries(value)) walk(one, [...path, field]);
  };
  walk(JSON.parse(JSON.stringify(whole)), []);
  const change = fc.record({
    place: fc.constantFrom(...places),
    pick: fc.nat(),
    how: fc.constantFrom('remove', 'replace', 'add', 'swap'),
    field: fc.oneof(
      fc.constantFrom('Privileged', 'Binds', 'privileged', '__proto__', 'constructor', 'toJSON', ''),
      fc.string(),
    ),
    value: fc.jsonValue(),
  });
  return change
    .map(({ place, pick, how, field, value }) => {
      const copy: unknown = JSON.parse(JSON.stringify(whole));
      const target = place.reduce<unknown>(
        (inner, name) => Reflect.get(inner as object, name),
        copy,
      ) as object;
      const fields = Object.keys(target);
      const chosen = fields[pick % Math.max(fields.length, 1)] ?? '';
      const path = [...place, chosen].join('.');
      const define = (name: string, one: unknown): void => {
        Object.defineProperty(target, name, {
          value: one,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      };
      if (Array.isArray(target) && how === 'remove') target.splice(pick % Math.max(target.length, 1), 1);
      else if (Array.isArray(target) && how === 'add') target.push(value);
      else if (Array.isArray(target) && how === 'swap') target.reverse();
      else if (how === 'add') define(field, value);
      else if (fields.length > 0 && !free.has(path)) {
        if (how === 'remove') Reflect.deleteProperty(target, chosen);
        else define(chosen, value);
      }
      return copy;
    })
    .filter((mutated) => !Bun.deepEquals(mutated, JSON.parse(JSON.stringify(whole)), true));
}
