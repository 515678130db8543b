import { describe, expect, test } from 'bun:test';
import { networkNaming, startedNaming } from '../../src/runtime/naming.ts';

describe('names of replicas on an engine’s network', () => {
  const naming = networkNaming(8000);

  test('stand in the configuration of another balancer with the port that replicas have', () => {
    expect(naming.label?.('server-1')).toBe('server-1:8000');
  });

  test('are otherwise as those of any that are started', () => {
    expect(startedNaming.label).toBeUndefined();
    expect(naming.rule).toBe(startedNaming.rule);
    expect(naming.generated?.(3)).toBe('server-3');
    expect([naming.allows('a'), naming.allows('-a'), naming.identity('A')]).toEqual([true, false, 'a']);
  });
});
