import { describe, expect, test } from 'bun:test';
import { EngineGone, StartFailed } from '../../../src/runtime/runtime.ts';
import { call, found, made, RACES_MAX, untilWon, updated } from '../../../src/runtime/swarm/engine.ts';

const refused = (statusCode: number, message: string): Promise<never> =>
  Promise.reject(Object.assign(new Error(message), { statusCode }));
const TAKEN = 'name conflicts with an existing object: service X already exists';
const OUTRUN = 'rpc error: code = Unknown desc = update out of sequence';

describe('what the Swarm refuses', () => {
  test.each([
    [
      'without a leader',
      500,
      'rpc error: code = Unknown desc = The swarm does not have a leader',
      EngineGone,
    ],
    ['without a majority', 500, 'context deadline exceeded', EngineGone],
    ['when it is no manager any more', 503, 'This node is not a swarm manager.', EngineGone],
    ['a template that is none', 400, 'invalid', StartFailed],
    ['a network that is not there', 404, 'network x not found', StartFailed],
    ['a name that is taken, where that was not expected', 409, TAKEN, StartFailed],
  ])('%s', async (_, status, message, error) => {
    await expect(call(refused(status, message))).rejects.toBeInstanceOf(error);
    await expect(call(refused(status, message))).rejects.toThrow(message);
  });

  test('what does not answer at all is gone', async () => {
    await expect(call(Promise.reject(new Error('connect ENOENT')))).rejects.toBeInstanceOf(EngineGone);
  });

  test('each way of asking takes one refusal for an answer, and no other', async () => {
    expect(await found(refused(404, 'no such'))).toBeUndefined();
    expect(await made(refused(409, TAKEN))).toBeUndefined();
    expect(await updated(refused(500, OUTRUN))).toBe(false);
    expect(await updated(refused(404, 'no such'))).toBe(false);
    expect(await updated(Promise.resolve())).toBe(true);
    expect(await made(Promise.resolve(7))).toBe(7);
    await expect(found(refused(409, TAKEN))).rejects.toBeInstanceOf(StartFailed);
    await expect(made(refused(404, 'network x not found'))).rejects.toBeInstanceOf(StartFailed);
    await expect(made(refused(500, OUTRUN))).rejects.toBeInstanceOf(EngineGone);
    await expect(updated(refused(500, 'no leader'))).rejects.toBeInstanceOf(EngineGone);
  });

  test('a race is run again until it is won, and not for ever', async () => {
    let tries = 0;
    const third = (): Promise<string | undefined> => Promise.resolve(++tries < 3 ? undefined : 'won');
    expect(await untilWon(third)).toBe('won');
    expect(tries).toBe(3);
    tries = 0;
    const never = (): Promise<undefined> => Promise.resolve(void tries++);
    await expect(untilWon(never)).rejects.toBeInstanceOf(EngineGone);
    expect(tries).toBe(RACES_MAX);
  });
});
