import { describe, expect, test } from 'bun:test';
import { concerns, pollAfterMs } from '../../../src/runtime/swarm/events.ts';

describe('what the engine tells of', () => {
  test.each([
    ['a service of ours', 'service', { name: 'rm-a' }, true],
    ['a service of ours that is called otherwise', 'service', { name: 'rm--0123' }, true],
    ['another’s service', 'service', { name: 'rmx-a' }, false],
    ['the roster', 'config', { name: 'rm.roster' }, true],
    ['another’s roster', 'config', { name: 'rm-a.roster' }, false],
    ['any node', 'node', { name: 'x' }, true],
    ['a container of ours', 'container', { 'ringmaster.cluster': 'rm' }, true],
    ['another’s container', 'container', { 'ringmaster.cluster': 'rm-a' }, false],
    ['a container of nobody', 'container', {}, false],
    ['something else', 'volume', { name: 'rm-a', 'ringmaster.cluster': 'rm' }, false],
  ])('%s', (_, Type, Attributes, concern) => {
    expect(concerns('rm', { Type, Actor: { Attributes } })).toBe(concern);
  });

  test('what says nothing concerns nobody', () => {
    expect(concerns('rm', {})).toBe(false);
    expect(concerns('rm', { Type: 'service' })).toBe(false);
  });
});

test('lists that nobody asked for take a tenth of the time at most, and are made every second at most', () => {
  for (const listMs of [0, 10, 111]) expect(pollAfterMs(listMs)).toBe(1000);
  for (const listMs of [200, 1000]) expect(listMs / (listMs + pollAfterMs(listMs))).toBeCloseTo(0.1);
});
