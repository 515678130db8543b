import { describe, expect, test } from 'bun:test';
import { Member } from '../../src/fleet/member.ts';
import type { Instance } from '../../src/runtime/runtime.ts';
import { idleLease } from './lease.ts';

const SPEC = { name: 'a', order: 1, join: 'first', committed: true };
const INSTANCE: Instance = {
  ...SPEC,
  id: '1',
  state: 'running',
  address: { host: '10.0.0.1', port: 5000 },
};

describe('leases of a member', () => {
  test('it is idle when none is held, and when the last is dropped, in whatever order', async () => {
    const member = new Member(SPEC);
    await member.idle();
    const [one, other] = [idleLease(), idleLease()];
    member.hold(one);
    member.hold(other);
    let idle = false;
    const waiting = member.idle().then(() => {
      idle = true;
    });
    member.drop(other);
    member.drop(other);
    await Promise.resolve();
    expect(idle).toBe(false);
    member.drop(one);
    await waiting;
  });

  test('one that was never held, or not any more, wakes nobody', async () => {
    const member = new Member(SPEC);
    const [held, dropped] = [idleLease(), idleLease()];
    member.hold(dropped);
    member.drop(dropped);
    member.hold(held);
    let idle = false;
    void member.idle().then(() => {
      idle = true;
    });
    member.drop(dropped);
    member.drop(idleLease());
    await Promise.resolve();
    await Promise.resolve();
    expect(idle).toBe(false);
  });

  test('each that is held is told once that its replica is lost', () => {
    const member = new Member(SPEC);
    const told: string[] = [];
    const [one, released, silent] = [idleLease(), idleLease(), idleLease()];
    one.onLost = () => void told.push('one');
    released.onLost = () => void told.push('released');
    for (const each of [one, released, silent]) member.hold(each);
    member.drop(released);
    member.lose();
    member.lose();
    expect(told).toEqual(['one']);
  });

  test('one may be dropped, and another held, while they are told', () => {
    const member = new Member(SPEC);
    const told: string[] = [];
    const [one, other] = [idleLease(), idleLease()];
    one.onLost = () => {
      told.push('one');
      member.drop(one);
      member.drop(other);
    };
    other.onLost = () => void told.push('other');
    member.hold(one);
    member.hold(other);
    member.lose();
    expect(told).toEqual(['one']);
    expect(member.leases.size).toBe(0);
  });
});

describe('the instance of a member', () => {
  test('each has a signal of its own, which aborts when it is found to be no more', () => {
    const member = new Member(SPEC);
    expect(member.instance).toBeUndefined();
    member.began(INSTANCE);
    const first = member.run;
    expect(first.aborted).toBe(false);
    member.ended();
    expect(member.instance).toBeUndefined();
    expect(first.aborted).toBe(true);
    member.began({ ...INSTANCE, id: '2' });
    expect(member.run.aborted).toBe(false);
    expect(member.instance?.id).toBe('2');
  });

  test('a new one has missed no heartbeat', () => {
    const member = new Member(SPEC);
    member.missed = 5;
    member.began(INSTANCE);
    expect(member.missed).toBe(0);
  });
});

test('a nudge ends the pause under way, and is known to who pauses next', () => {
  const member = new Member(SPEC);
  const nap = member.napSignal();
  member.nudge();
  expect([nap.aborted, member.nudged]).toEqual([true, true]);
  expect(member.napSignal().aborted).toBe(false);
});
