import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { FrameTracker, goingAway } from '../../../../src/traffic/relay/websocket.ts';

const SEED = 20260411;
const MASK = Buffer.from([0x11, 0x22, 0x33, 0x44]);

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly length: number;
  /** Bytes of the length as it is written: more than it takes is allowed here. */
  readonly lengthBytes: 0 | 2 | 8;
}

function bytesOf({ opcode, fin, masked, length, lengthBytes }: Frame): Buffer {
  const code = lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127;
  const head = Buffer.from([(fin ? 0x80 : 0) | opcode, (masked ? 0x80 : 0) | code]);
  const extended = Buffer.alloc(lengthBytes);
  if (lengthBytes === 2) extended.writeUInt16BE(length);
  if (lengthBytes === 8) extended.writeBigUInt64BE(BigInt(length));
  // Such bytes as would begin a Close if anybody took them for a frame.
  return Buffer.concat([head, extended, masked ? MASK : Buffer.alloc(0), Buffer.alloc(length, 0x88)]);
}

interface Decoded {
  readonly opcode: number;
  readonly masked: boolean;
  readonly fin: boolean;
  readonly payload: Buffer;
  readonly bytes: number;
}

/** RFC 6455, section 5.2, for frames with the short form of length. */
function decode(bytes: Uint8Array): Decoded {
  const [first = 0, second = 0] = bytes;
  const masked = second >= 0x80;
  const start = masked ? 6 : 2;
  const key = bytes.subarray(2, start);
  const payload = Buffer.from(bytes.subarray(start, start + (second & 0x7f)));
  if (masked)
    for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] as number) ^ (key[i % 4] as number);
  return { opcode: first & 0x0f, fin: first >> 4 === 8, masked, payload, bytes: start + payload.length };
}

const lengths = fc.oneof(
  fc.nat(125),
  fc.constantFrom(0, 1, 124, 125, 126, 127, 128, 300, 65_535, 65_536, 70_000),
);
const frame: fc.Arbitrary<Frame> = fc
  .record({
    opcode: fc.constantFrom(0, 1, 2, 9, 10),
    fin: fc.boolean(),
    masked: fc.boolean(),
    length: lengths,
    long: fc.nat(3),
  })
  .map(({ long, ...rest }) => {
    const needed = rest.length > 65_535 ? 8 : rest.length > 125 ? 2 : 0;
    return { ...rest, lengthBytes: long > 0 ? needed : needed === 0 ? 2 : 8 };
  });
const smallFrame = frame.filter(({ length }) => length <= 300);
const CLOSE: Frame = { opcode: 8, fin: true, masked: false, length: 2, lengthBytes: 0 };

/** Offsets past each frame. */
function endsOf(frames: readonly Frame[]): number[] {
  let end = 0;
  return frames.map((one) => (end += bytesOf(one).length));
}

describe('the going-away', () => {
  test.each(['server', 'client'] as const)('of a %s is a Close with 1001', (from) => {
    const bytes = goingAway(from);
    const { opcode, masked, fin, payload, bytes: length } = decode(bytes);
    expect([opcode, fin, length]).toEqual([8, true, bytes.length]);
    // RFC 6455, section 5.1: clients mask, servers must not.
    expect(masked).toBe(from === 'client');
    expect([...payload]).toEqual([0x03, 0xe9]);
    const tracker = new FrameTracker();
    expect(tracker.read(bytes, 0, bytes.length, 'boundary')).toBe(bytes.length);
    expect([tracker.atBoundary, tracker.closed]).toEqual([true, true]);
  });

  test('of a client has another mask each time', () => {
    const masks = new Set(Array.from({ length: 20 }, () => goingAway('client').slice(2, 6).join()));
    expect(masks.size).toBe(20);
  });
});

describe('a boundary', () => {
  test('is there before the first byte', () => {
    const tracker = new FrameTracker();
    expect([tracker.atBoundary, tracker.closed]).toEqual([true, false]);
  });

  test('is found behind each frame and nowhere else, byte by byte', () => {
    fc.assert(
      fc.property(fc.array(smallFrame, { maxLength: 5 }), (frames) => {
        const bytes = Buffer.concat(frames.map(bytesOf));
        const ends = new Set(endsOf(frames));
        const tracker = new FrameTracker();
        for (let at = 0; at < bytes.length; at++) {
          expect(tracker.read(bytes, at, at + 1, at % 2 === 0 ? 'boundary' : 'no')).toBe(at + 1);
          expect([at, tracker.atBoundary]).toEqual([at, ends.has(at + 1)]);
        }
        expect(tracker.closed).toBe(false);
      }),
      { seed: SEED, numRuns: 200 },
    );
  }, 60_000);

  test('is where reading stops when it is asked to, however the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 5 }),
        fc.array(fc.nat(2000), { maxLength: 8 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.map(bytesOf));
          const pieces = [...new Set([...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])];
          const found: number[] = [];
          const tracker = new FrameTracker();
          let at = 0;
          for (const end of pieces.sort((a, b) => a - b))
            while (at < end) {
              at = tracker.read(bytes, at, end, 'boundary');
              if (tracker.atBoundary) found.push(at);
            }
          expect(found).toEqual(endsOf(frames));
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  }, 60_000);

  test('is passed over when it is not asked to stop', () => {
    const frames: Frame[] = [CLOSE, { ...CLOSE, opcode: 1, length: 0 }];
    const bytes = Buffer.concat([...frames.map(bytesOf), Buffer.of(0x81)]);
    const tracker = new FrameTracker();
    expect(tracker.read(bytes, 0, bytes.length, 'no')).toBe(bytes.length);
    expect(tracker.atBoundary).toBe(false);
  });

  test('is not there after nothing was read of a frame with nothing', () => {
    const empty = bytesOf({ ...CLOSE, opcode: 9, length: 0, masked: true });
    for (let end = 1; end < empty.length; end++) {
      const tracker = new FrameTracker();
      expect(tracker.read(empty, 0, end, 'boundary')).toBe(end);
      expect(tracker.atBoundary).toBe(false);
    }
  });

  test('of a frame that is longer than any is not found', () => {
    const tracker = new FrameTracker();
    const bytes = Buffer.concat([Buffer.from([0x82, 127]), Buffer.alloc(8, 0xff), Buffer.alloc(1000)]);
    expect(tracker.read(bytes, 0, bytes.length, 'boundary')).toBe(bytes.length);
    expect(tracker.atBoundary).toBe(false);
  });
});

describe('a Close', () => {
  test.each<[what: string, frame: Frame]>([
    ['with a code', CLOSE],
    ['without one', { ...CLOSE, length: 0 }],
    ['of a client', { ...CLOSE, masked: true }],
    ['without one, of a client', { ...CLOSE, length: 0, masked: true }],
    ['with a reason', { ...CLOSE, length: 125, masked: true }],
  ])('%s has passed once its last byte has', (_what, close) => {
    const before = bytesOf({ ...CLOSE, opcode: 2, length: 200, lengthBytes: 2 });
    const bytes = Buffer.concat([before, bytesOf(close)]);
    const tracker = new FrameTracker();
    for (let at = 0; at < bytes.length; at++) {
      expect(tracker.closed).toBe(false);
      tracker.read(bytes, at, at + 1, 'no');
    }
    expect(tracker.closed).toBe(true);
    const more = bytesOf({ ...CLOSE, opcode: 1 });
    tracker.read(more, 0, more.length, 'no');
    expect(tracker.closed).toBe(true);
  });

  test('is what reading stops in front of when it is asked to, however the bytes are split', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 4 }),
        fc.boolean(),
        fc.array(fc.nat(2000), { maxLength: 8 }),
        (frames, masked, cuts) => {
          const before = Buffer.concat(frames.map(bytesOf));
          const bytes = Buffer.concat([before, bytesOf({ ...CLOSE, masked })]);
          const pieces = [...new Set([...cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length])];
          const tracker = new FrameTracker();
          let at = 0;
          for (const end of pieces.sort((a, b) => a - b)) {
            at = tracker.read(bytes, at, end, 'close');
            if (at < end) break;
          }
          expect([at, tracker.atBoundary, tracker.closed]).toEqual([before.length, true, false]);
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  }, 60_000);
});
