import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { httpHeartbeat } from '../../src/fleet/heartbeat.ts';
import { EngineGone, type Instance, type InstanceSpec, type Runtime } from '../../src/runtime/runtime.ts';
import { eventually } from '../spawned.ts';

const PATIENCE_MS = 120_000;
const NEVER = new AbortController().signal;

export interface RuntimeSubject {
  readonly runtime: Runtime;
  /** Ends an instance behind the runtime's back. */
  kill(instance: Instance): Promise<void>;
  /** A runtime whose replicas end as soon as they start. */
  broken(): Promise<Runtime>;
}

export interface ContractOptions {
  /** False where it runs on servers that somebody else owns: they outlive all that is done, and nobody tells of their end. */
  readonly owns?: boolean;
}

/** What the fleet relies on, run against each runtime with a real engine below it. */
export function runtimeContract(
  name: string,
  open: () => Promise<RuntimeSubject>,
  { owns = true }: ContractOptions = {},
): void {
  describe(`runtime contract: ${name}`, () => {
    let subject: RuntimeSubject;
    let runtime: Runtime;
    beforeAll(async () => {
      subject = await open();
      runtime = subject.runtime;
    }, PATIENCE_MS);
    afterEach(async () => {
      for (const one of await runtime.list()) await runtime.stop(one.name, 0);
    }, PATIENCE_MS);
    afterAll(() => runtime.close(false), PATIENCE_MS);

    const spec = (replica: string, more: Partial<InstanceSpec> = {}): InstanceSpec => ({
      name: replica,
      order: 7,
      join: 'one add',
      committed: true,
      ...more,
    });
    const answers = async ({ address }: Instance): Promise<boolean> =>
      address !== undefined && (await httpHeartbeat(address, '/heartbeat', 1000, NEVER)) === 'answered';
    const named = async (replica: string): Promise<Instance[]> =>
      (await runtime.list()).filter((one) => one.name === replica);

    test('it owns what the contract takes it to own', () => {
      expect(runtime.owns).toBe(owns);
    });

    test(
      'a started instance runs, is listed as it was specified, and answers',
      async () => {
        const instance = await runtime.start(spec('a'), NEVER);
        expect(instance).toMatchObject({ ...spec('a'), state: 'running' });
        const { address, id } = instance;
        // The list may say it less exactly.
        const startedAtMs = instance.startedAtMs === undefined ? undefined : (expect.any(Number) as number);
        expect(await runtime.list()).toEqual([{ ...spec('a'), state: 'running', address, id, startedAtMs }]);
        await eventually(() => answers(instance));
      },
      PATIENCE_MS,
    );

    test(
      'a weight that is noted while an instance runs is the one that is listed, until it is specified anew',
      async () => {
        if (runtime.weigh === undefined) return;
        const { id } = await runtime.start(spec('a', { weight: 3 }), NEVER);
        await runtime.weigh('a', 100);
        expect(await named('a')).toMatchObject([{ id, weight: 100, state: 'running' }]);
        await runtime.weigh('a', 1);
        expect(await named('a')).toMatchObject([{ id, weight: 1, state: 'running' }]);
        await runtime.weigh('nobody', 5);
        await runtime.start(spec('a', { weight: 2 }), NEVER);
        expect(await named('a')).toMatchObject([{ weight: 2 }]);
      },
      PATIENCE_MS,
    );

    test(
      'a weight is listed as it was specified last, whatever mark its replica has',
      async () => {
        await runtime.start(spec('a', { weight: 100, committed: false }), NEVER);
        await runtime.start(spec('r1', { weight: 3 }), NEVER);
        expect(await named('a')).toMatchObject([{ weight: 100, committed: false }]);
        await runtime.mark(['a'], 'member');
        expect(await named('a')).toMatchObject([{ weight: 100, committed: true }]);
        await runtime.start(spec('r1', { weight: 2 }), NEVER);
        await runtime.mark(['r1'], 'leaving first');
        // Where there is a roster it says what a member weighs: it may have been weighed since by another.
        const weight = runtime.commons === undefined ? 2 : 3;
        expect(await named('r1')).toMatchObject([{ weight, leaving: 'first' }]);
      },
      PATIENCE_MS,
    );

    test(
      'the sample server knows its name',
      async () => {
        const instance = await runtime.start(spec('Name_1.x-'), NEVER);
        await eventually(() => answers(instance));
        const { host, port } = instance.address as { host: string; port: number };
        const reply = await fetch(`http://${host}:${port}/home`);
        expect(await reply.text()).toBe('{"message":"Hello from Server: Name_1.x-","status":"successful"}');
      },
      PATIENCE_MS,
    );

    test(
      'a start under a name that is there replaces what has it',
      async () => {
        const first = await runtime.start(spec('a'), NEVER);
        const second = await runtime.start(spec('a'), NEVER);
        expect(second.id).not.toBe(first.id);
        expect((await runtime.list()).map((one) => one.id)).toEqual([second.id]);
      },
      PATIENCE_MS,
    );

    test(
      'instances that start side by side do not get in each other’s way',
      async () => {
        const started = await Promise.all(
          Array.from({ length: 6 }, (_, i) => runtime.start(spec(`r${i}`, { order: i }), NEVER)),
        );
        const addresses = started.map(({ address }) => `${address?.host}:${address?.port}`);
        expect(new Set(addresses).size).toBe(6);
        for (const one of started) await eventually(() => answers(one));
      },
      PATIENCE_MS,
    );

    test(
      'an instance is uncommitted until it is committed',
      async () => {
        await runtime.start(spec('a', { committed: false }), NEVER);
        expect(await named('a')).toMatchObject([{ committed: false, join: 'one add' }]);
        expect(await runtime.mark(['a'], 'member')).toEqual([]);
        expect(await named('a')).toMatchObject([{ committed: true, join: 'one add', order: 7 }]);
      },
      PATIENCE_MS,
    );

    test(
      'a mark is what is listed, of each and until the next; one that is not there is told, and no error',
      async () => {
        await runtime.start(spec('a'), NEVER);
        await runtime.start(spec('r1'), NEVER);
        expect(await runtime.mark(['a'], 'leaving first')).toEqual([]);
        expect(await runtime.mark(['r1', 'r2'], 'leaving')).toEqual(['r2']);
        expect(await named('a')).toMatchObject([{ committed: true, leaving: 'first', state: 'running' }]);
        expect(await named('r1')).toMatchObject([{ committed: true, leaving: 'other', state: 'running' }]);
        for (const as of ['leaving first', 'member', 'joining', 'joining'] as const) {
          expect(await runtime.mark(['r1'], as)).toEqual([]);
          const leaving = as === 'leaving first' ? 'first' : undefined;
          expect(await named('r1')).toMatchObject([{ committed: as !== 'joining', order: 7 }]);
          expect((await named('r1'))[0]?.leaving).toBe(leaving);
        }
        // Whatever mark it has, it is replaced and removed like any other.
        const { id } = await runtime.start(spec('a'), NEVER);
        expect((await named('a')).map((one) => [one.id, one.leaving])).toEqual([[id, undefined]]);
        await runtime.mark(['a', 'r1'], 'member');
        await runtime.mark(['a'], 'leaving');
        await runtime.stop('a', 0);
        expect(await runtime.mark(['a', 'r1'], 'member')).toEqual(['a']);
      },
      PATIENCE_MS,
    );

    test(
      'an uncommitted instance is replaced and removed like any other',
      async () => {
        await runtime.start(spec('a', { committed: false }), NEVER);
        await runtime.start(spec('a', { committed: false }), NEVER);
        expect(await named('a')).toHaveLength(1);
        await runtime.stop('a', 0);
        expect(await runtime.list()).toEqual([]);
      },
      PATIENCE_MS,
    );

    test(
      `stop removes an instance, gently or by force, ${owns ? 'with its server' : 'not its server'}, and one that is not there is no error`,
      async () => {
        for (const graceMs of [5000, 0]) {
          const instance = await runtime.start(spec('a'), NEVER);
          await eventually(() => answers(instance));
          await runtime.stop('a', graceMs);
          expect(await runtime.list()).toEqual([]);
          expect(await answers(instance)).toBe(!owns);
          await runtime.stop('a', graceMs);
        }
      },
      PATIENCE_MS,
    );

    test(
      'two stops at once both succeed',
      async () => {
        await runtime.start(spec('a'), NEVER);
        await Promise.all([runtime.stop('a', 5000), runtime.stop('a', 0)]);
        expect(await runtime.list()).toEqual([]);
      },
      PATIENCE_MS,
    );

    if (owns)
      test(
        'one that is killed is listed as ended, or not at all, and wakes who watches',
        async () => {
          const instance = await runtime.start(spec('a'), NEVER);
          const woken = Promise.withResolvers<void>();
          const unwatch = runtime.watch(async () => {
            if ((await named('a'))[0]?.state !== 'running') woken.resolve();
          });
          await subject.kill(instance);
          await woken.promise;
          unwatch();
          for (const one of await named('a')) expect(one.state).toBe('ended');
        },
        PATIENCE_MS,
      );
    else
      test(
        'one whose server is killed stays as it was, so that it is there when the server is back',
        async () => {
          const instance = await runtime.start(spec('a'), NEVER);
          let woken = 0;
          const unwatch = runtime.watch(() => woken++);
          await subject.kill(instance);
          await eventually(async () => !(await answers(instance)));
          unwatch();
          expect(await runtime.list()).toEqual([instance]);
          expect(woken).toBe(0);
        },
        PATIENCE_MS,
      );

    test(
      'a start that is given up leaves nothing',
      async () => {
        const giveUp = new AbortController();
        const starting = runtime.start(spec('a', { committed: false }), giveUp.signal);
        giveUp.abort();
        await expect(starting).rejects.toThrow('given up');
        expect(await runtime.list()).toEqual([]);
      },
      PATIENCE_MS,
    );

    test(
      'what ends as soon as it starts is a failed start or an ended instance, never an engine that is gone',
      async () => {
        const broken = await subject.broken();
        try {
          await broken.start(spec('a'), NEVER);
          await eventually(async () => (await broken.list())[0]?.state === 'ended');
        } catch (error) {
          expect(error).not.toBeInstanceOf(EngineGone);
        }
        await broken.stop('a', 0);
        expect(await broken.list()).toEqual([]);
        await broken.close(false);
      },
      PATIENCE_MS,
    );
  });
}
