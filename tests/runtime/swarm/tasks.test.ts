import { describe, expect, test } from 'bun:test';
import {
  addressOn,
  currentTask,
  forcedOf,
  hasFailed,
  publishedPort,
  runs,
  type Task,
} from '../../../src/runtime/swarm/tasks.ts';

const task = (ID: string, more: Partial<Task> = {}): Task => ({
  ID,
  ServiceID: 's',
  CreatedAt: '2026-01-01T00:00:00.1Z',
  DesiredState: 'running',
  Status: { State: 'running' },
  ...more,
});

describe('the tasks of a service', () => {
  test.each([
    ['the one that is to run', [task('a'), task('b', { DesiredState: 'shutdown' })], 'a'],
    ['of several the newest', [task('a'), task('b', { CreatedAt: '2026-01-01T00:00:00.2Z' })], 'b'],
    ['whether it runs yet or not', [task('a', { Status: { State: 'preparing' } })], 'a'],
    ['none that waits for its turn', [task('a', { DesiredState: 'ready' })], undefined],
    ['none of another service', [task('a', { ServiceID: 't' })], undefined],
    ['none where there is none', [], undefined],
  ])('the current one: %s', (_, tasks, id) => {
    expect(currentTask(tasks, 's')?.ID).toBe(id as string);
  });

  test.each([
    ['running', true, false],
    ['starting', false, false],
    ['pending', false, false],
    ['failed', false, true],
    ['rejected', false, true],
    ['complete', false, true],
    ['shutdown', false, false],
  ])('one that is %s', (State, running, failed) => {
    const one = task('a', { Status: { State } });
    expect([runs(one), hasFailed(one)]).toEqual([running, failed]);
  });

  test('one that is to end does not run, whatever it still does', () => {
    expect(runs(task('a', { DesiredState: 'shutdown' }))).toBe(false);
  });

  test('one that says nothing neither runs nor has failed, and has no address', () => {
    const { Status: _, ...silent } = task('a');
    expect([runs(silent), hasFailed(silent)]).toEqual([false, false]);
    expect(publishedPort(silent, 5000)).toBeUndefined();
    expect(addressOn(silent, 'net', 5000)).toBeUndefined();
    expect(forcedOf(silent.Spec)).toBe(0);
  });

  test('the port of its node is the one that leads to the replica’s', () => {
    const Ports = [
      { TargetPort: 9, PublishedPort: 1 },
      { TargetPort: 5000, PublishedPort: 32_768 },
      { TargetPort: 5000, PublishedPort: 32_768 },
    ];
    expect(publishedPort(task('a', { Status: { PortStatus: { Ports } } }), 5000)).toBe(32_768);
  });

  test('its own address is the one on the network that we share', () => {
    const on = (Name: string, Addresses: readonly string[]) => ({ Network: { Spec: { Name } }, Addresses });
    const attached = task('a', {
      NetworksAttachments: [on('x', ['10.0.9.2/24']), on('net', ['10.0.1.2/24'])],
    });
    expect(addressOn(attached, 'net', 5000)).toEqual({ host: '10.0.1.2', port: 5000 });
    expect(addressOn(attached, 'other', 5000)).toBeUndefined();
    expect(addressOn(task('a', { NetworksAttachments: [on('net', [])] }), 'net', 5000)).toBeUndefined();
  });
});
