import { afterAll, describe, expect, test } from 'bun:test';
import type { Upstream } from '../../../src/config.ts';
import { silentLog } from '../../../src/log.ts';
import { ProcessRuntime } from '../../../src/runtime/process/process.ts';
import { StartFailed, type Address } from '../../../src/runtime/runtime.ts';
import { StaticRuntime } from '../../../src/runtime/static/static.ts';
import { runtimeContract } from '../contract.suite.ts';

const NEVER = new AbortController().signal;
const SPEC = { name: 'a', order: 7, join: 'one add', committed: false };
/** Every name that the contract uses. */
const NAMES = ['a', 'Name_1.x-', 'r0', 'r1', 'r2', 'r3', 'r4', 'r5'];

// Somebody else, who runs a server for each name.
const owner = new ProcessRuntime({ command: undefined, log: silentLog });
afterAll(() => owner.close());

async function serve(name: string): Promise<Upstream> {
  const { address } = await owner.start({ ...SPEC, name }, NEVER);
  return { name, ...(address as Address) };
}

runtimeContract(
  'upstream servers',
  async () => {
    const runtime = new StaticRuntime(await Promise.all(NAMES.map(serve)));
    // The contract begins with none.
    for (const { name } of await runtime.list()) await runtime.stop(name);
    return {
      runtime,
      kill: ({ name }) => owner.stop(name, 0),
      broken: () => Promise.resolve(new StaticRuntime([])),
    };
  },
  { owns: false },
);

describe('upstream servers', () => {
  const upstreams: Upstream[] = [
    { name: 'b', host: '10.0.0.2', port: 80 },
    { name: 'a', host: 'a.example', port: 81 },
  ];

  test('that are configured are members from the start, in their order', async () => {
    const found = await new StaticRuntime(upstreams).list();
    expect(
      found.map(({ name, order, committed, state, address }) => [name, order, committed, state, address]),
    ).toEqual([
      ['b', 1, true, 'running', { host: '10.0.0.2', port: 80 }],
      ['a', 2, true, 'running', { host: 'a.example', port: 81 }],
    ]);
    expect(new Set(found.map((one) => one.id)).size).toBe(2);
  });

  test('that left come back by their name, in another place', async () => {
    const runtime = new StaticRuntime(upstreams);
    await runtime.stop('b');
    expect((await runtime.list()).map((one) => one.name)).toEqual(['a']);
    const back = await runtime.start({ ...SPEC, name: 'b' }, NEVER);
    expect(back).toMatchObject({ ...SPEC, name: 'b', address: { host: '10.0.0.2', port: 80 } });
    expect((await runtime.list()).map((one) => one.name)).toEqual(['a', 'b']);
  });

  test.each([
    ['a', { host: 'a.example', port: 81 }],
    ['A', { host: 'a.example', port: 81 }],
    ['new.example:8080', { host: 'new.example', port: 8080 }],
    ['10.1.2.3:1', { host: '10.1.2.3', port: 1 }],
    ['[FD00::1]:65535', { host: 'fd00::1', port: 65_535 }],
  ])('%s is at %p', async (name, address) => {
    const runtime = new StaticRuntime(upstreams);
    expect(runtime.naming.allows(name)).toBe(true);
    expect((await runtime.start({ ...SPEC, name }, NEVER)).address).toEqual(address);
  });

  test.each(['c', 'a.example', 'a.example:0', 'a.example:65536', 'http://a.example:81', 'fd00::1:80', ''])(
    '%j is nowhere: it is no name, and a start under it fails and leaves nothing',
    async (name) => {
      const runtime = new StaticRuntime([]);
      expect(runtime.naming.allows(name)).toBe(false);
      await expect(runtime.start({ ...SPEC, name }, NEVER)).rejects.toBeInstanceOf(StartFailed);
      expect(await runtime.list()).toEqual([]);
    },
  );

  test('that are configured under a name that looks like an address are at the address that was configured', () => {
    // A name of the configuration has no colon, and an address of the API must have one.
    const { naming } = new StaticRuntime([{ name: '10.0.0.9', host: 'h', port: 80 }]);
    expect(naming.identity('10.0.0.9')).toBe(naming.identity('H:80'));
    expect(naming.identity('10.0.0.9:80')).not.toBe(naming.identity('H:80'));
  });

  test('are not remembered after the end: the next start has those that are configured', async () => {
    const runtime = new StaticRuntime(upstreams);
    expect([runtime.durable, runtime.owns]).toEqual([false, false]);
    await runtime.close();
    expect(await runtime.list()).toEqual([]);
  });
});
