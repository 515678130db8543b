import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { Unavailable } from '../../src/fleet/errors.ts';
import { ChangeQueue, CHANGES_WAITING_MAX } from '../../src/fleet/queue.ts';
import { failure } from './rig.ts';

const SEED = 20260103;

describe('the queue of changes', () => {
  test('runs one at a time, in the order of asking, each with its own outcome', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ steps: fc.nat(5), fails: fc.boolean() }), { maxLength: 20 }),
        async (plans) => {
          const queue = new ChangeQueue();
          const seen: string[] = [];
          const outcomes = await Promise.allSettled(
            plans.map(({ steps, fails }, i) =>
              queue.run(async () => {
                seen.push(`begin ${i}`);
                for (let step = 0; step < steps; step++) await Promise.resolve();
                seen.push(`end ${i}`);
                if (fails) throw new Error(`failed ${i}`);
                return i;
              }),
            ),
          );
          expect(seen).toEqual(plans.flatMap((_, i) => [`begin ${i}`, `end ${i}`]));
          for (const [i, outcome] of outcomes.entries()) {
            if (outcome.status === 'fulfilled') expect(outcome.value).toBe(i);
            else expect((outcome.reason as Error).message).toBe(`failed ${i}`);
            expect(outcome.status).toBe(plans[i]?.fails === true ? 'rejected' : 'fulfilled');
          }
        },
      ),
      { seed: SEED, numRuns: 100 },
    );
  });

  test('a change that throws before its first await fails like any other, and the next one runs', async () => {
    const queue = new ChangeQueue();
    const failing = queue.run(() => {
      throw new Error('at once');
    });
    const next = queue.run(() => Promise.resolve('next'));
    expect((await failure(failing)).message).toBe('at once');
    expect(await next).toBe('next');
  });

  test('lets so many wait and no more; who is told so may come back', async () => {
    const queue = new ChangeQueue();
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const first = queue.run(() => {
      begun.resolve();
      return gate.promise;
    });
    await begun.promise;
    const waiting = Array.from({ length: CHANGES_WAITING_MAX }, (_, i) =>
      queue.run(() => Promise.resolve(i)),
    );
    const refused = await failure(queue.run(() => Promise.resolve(-1)));
    expect(refused).toBeInstanceOf(Unavailable);
    expect((refused as Unavailable).retryAfterS).toBe(1);
    gate.resolve();
    await first;
    expect(await Promise.all(waiting)).toEqual(waiting.map((_, i) => i));
    expect(await queue.run(() => Promise.resolve('again'))).toBe('again');
  });

  test('close lets the change under way end, refuses those that wait and all that come later', async () => {
    const queue = new ChangeQueue();
    const gate = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<void>();
    let ran = false;
    const first = queue.run(() => {
      begun.resolve();
      return gate.promise;
    });
    await begun.promise;
    const waiting = failure(
      queue.run(async () => {
        ran = true;
      }),
    );
    let closed = false;
    const closing = queue.close().then(() => {
      closed = true;
    });
    expect(await failure(queue.run(() => Promise.resolve()))).toBeInstanceOf(Unavailable);
    expect(closed).toBe(false);
    gate.resolve('done');
    expect(await first).toBe('done');
    expect(await waiting).toBeInstanceOf(Unavailable);
    await closing;
    await queue.close();
    expect(ran).toBe(false);
  });

  test('closes when the change under way fails', async () => {
    const queue = new ChangeQueue();
    const failing = failure(queue.run(() => Promise.reject(new Error('no'))));
    await Promise.resolve();
    await queue.close();
    expect((await failing).message).toBe('no');
  });
});
