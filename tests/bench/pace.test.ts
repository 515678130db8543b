import { expect, test } from 'bun:test';
import { takePace } from './pace.ts';

test('names stay, in their order', () => {
  expect(takePace(['relay', '--rounds', '2', 'ring', '--seconds', '0.5'])).toEqual({
    pace: { rounds: 2, seconds: 0.5 },
    rest: ['relay', 'ring'],
  });
});

test('what is not said has a default', () => {
  const { pace, rest } = takePace(['ring']);
  expect(pace.rounds * pace.seconds).toBeGreaterThan(0);
  expect(rest).toEqual(['ring']);
});

test.each(['--rounds 0', '--rounds 1.5', '--rounds two', '--seconds -1', '--seconds'])(
  '%s is refused',
  (line) => {
    const args = line.split(' ');
    expect(() => takePace(args)).toThrow(`${args[0]} takes a positive number`);
  },
);
