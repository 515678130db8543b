import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { ascii, Scratch } from '../../../../src/traffic/relay/scratch.ts';

const SEED = 20260410;

function held(scratch: Scratch): string {
  return scratch.bytes.toString('latin1', 0, scratch.length);
}

/** One step, and the text that it adds. */
type Step = readonly [act: (to: Scratch) => void, text: string];

const latin1 = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const span = fc.tuple(latin1, latin1, latin1, fc.boolean()).map(([before, text, after, buffer]): Step => {
  const whole = Buffer.from(before + text + after, 'latin1');
  const bytes = buffer ? whole : Uint8Array.from(whole);
  return [(to) => to.span(bytes, before.length, before.length + text.length), text];
});
const all = fc.tuple(latin1, fc.boolean()).map(([text, buffer]): Step => {
  const bytes = Buffer.from(text, 'latin1');
  return [(to) => to.all(buffer ? bytes : Uint8Array.from(bytes)), text];
});
const written = latin1.map((text): Step => [(to) => to.latin1(text), text]);
const chunk = latin1.map((text): Step => {
  const bytes = Buffer.from(text, 'latin1');
  const framed = text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`;
  return [(to) => to.chunk(bytes, 0, bytes.length), framed];
});
const last = fc
  .array(fc.constantFrom('X: y', 'Etag: \xff'), { maxLength: 3 })
  .map((trailers): Step => [
    (to) => to.lastChunk(trailers),
    `0\r\n${trailers.map((one) => `${one}\r\n`).join('')}\r\n`,
  ]);
const hex = fc
  .integer({ min: 0, max: 2 ** 48 - 1 })
  .map((number): Step => [(to) => to.hex12(number), number.toString(16).padStart(12, '0')]);
const step = fc.oneof(span, all, written, chunk, last, hex);

test('what is put in comes out in one piece, however often it is used', () => {
  const scratch = new Scratch();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      scratch.reset();
      for (const [act] of steps) act(scratch);
      expect(held(scratch)).toBe(steps.map(([, text]) => text).join(''));
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('it grows with what it holds, and what it held is still there', () => {
  const scratch = new Scratch();
  const room = scratch.bytes.length;
  scratch.latin1('begin');
  const big = Buffer.alloc(room - 5, 'x');
  scratch.all(big);
  expect(scratch.bytes.length).toBe(room);
  // To the byte, by each way in.
  for (const grow of [
    () => scratch.latin1('y'),
    () => scratch.span(big, 0, big.length),
    () => scratch.all(big),
    () => scratch.chunk(big, 0, big.length),
    () => scratch.all(Buffer.alloc(3 * scratch.bytes.length, 'z')),
  ])
    grow();
  const text = held(scratch);
  expect(text.length).toBe(scratch.length);
  expect(text.slice(0, 6)).toBe('beginx');
  expect(text.slice(room - 1, room + 2)).toBe('xyx');
  expect(text.endsWith('zz')).toBe(true);
  for (let i = scratch.bytes.length - 5; scratch.length < i;) scratch.latin1('.');
  const before = scratch.length;
  scratch.hex12(0xabc);
  expect(held(scratch).slice(before)).toBe('000000000abc');
});

describe('chunks', () => {
  test.each<[length: number, digits: string]>([
    [1, '1'],
    [9, '9'],
    [10, 'a'],
    [16, '10'],
    [255, 'ff'],
    [65_536, '10000'],
  ])('of %d bytes begin with %s', (length, digits) => {
    const scratch = new Scratch();
    scratch.chunk(Buffer.alloc(length, 'x'), 0, length);
    expect(held(scratch)).toBe(`${digits}\r\n${'x'.repeat(length)}\r\n`);
  });

  test('of nothing would end the body, and are none', () => {
    const scratch = new Scratch();
    scratch.chunk(Buffer.from('abc'), 2, 2);
    scratch.asChunks.data(Buffer.from('abc'), 3, 3);
    expect(scratch.length).toBe(0);
  });

  test('are what asChunks takes data as, and asBytes takes it as it is', () => {
    const scratch = new Scratch();
    scratch.asChunks.data(Buffer.from('abc'), 1, 3);
    scratch.asBytes.data(Buffer.from('abc'), 1, 3);
    expect(held(scratch)).toBe('2\r\nbc\r\nbc');
  });
});

test('hex12 is right at the edges of its two halves', () => {
  for (const number of [0, 1, 0xffffff, 0x1000000, 0x1000001, 0xffffffff, 0x100000000, 2 ** 48 - 1]) {
    const scratch = new Scratch();
    scratch.hex12(number);
    expect(held(scratch)).toBe(number.toString(16).padStart(12, '0'));
  }
});

test('ascii is the bytes of the text', () => {
  expect([...ascii('a: b\r\n')]).toEqual([97, 58, 32, 98, 13, 10]);
});
