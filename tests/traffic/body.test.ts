import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import * as fc from 'fast-check';
import { ReplayableBody } from '../../src/traffic/body.ts';
import { KEPT_BYTES_MAX } from '../../src/traffic/retry.ts';

const SEED = 20260303;
// Nothing here waits for time to pass; machines can be slow.
setDefaultTimeout(30_000);

/** A client that sends its next chunk when it is told to, and notes how many it was asked for. */
class Client {
  asked = 0;
  sent = 0;
  #waiting: (() => void) | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => {
        this.asked++;
        return new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
      },
    },
    { highWaterMark: 0 },
  );

  constructor(readonly chunks: readonly Uint8Array[]) {}

  get isAsked(): boolean {
    return this.#waiting !== undefined;
  }

  /** Sends the next chunk, or the end after the last. */
  send(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    const chunk = this.chunks[this.sent++];
    if (chunk === undefined) this.#controller?.close();
    else this.#controller?.enqueue(chunk);
    waiting?.();
  }

  breakOff(error: Error): void {
    this.#controller?.error(error);
    this.#waiting?.();
  }
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves as `promise` does, while the client sends whatever it is asked for. */
async function served<T>(client: Client, promise: Promise<T>): Promise<T> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([settled, turnOfTheLoop()]))) if (client.isAsked) client.send();
  return promise;
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Chunks of the given sizes; no two bytes near each other are alike, so none can be lost, doubled or swapped unseen. */
function chunksOf(sizes: readonly number[]): Uint8Array[] {
  let at = 0;
  return sizes.map((size) => Uint8Array.from({ length: size }, () => (at++ * 2_654_435_761) >>> 24));
}

test('a body is read once, in its own chunks', async () => {
  const chunks = chunksOf([3, 1, 5]);
  const client = new Client(chunks);
  const body = new ReplayableBody(client.stream);
  const reader = body.open().getReader();
  for (const chunk of chunks) {
    const { value } = await served(client, reader.read());
    expect(value).toEqual(chunk);
  }
  expect((await served(client, reader.read())).done).toBe(true);
  expect(body.whole).toBe(true);
});

test('an empty body is empty however often it is opened', async () => {
  const client = new Client([]);
  const body = new ReplayableBody(client.stream);
  expect(await served(client, bytesOf(body.open()))).toHaveLength(0);
  expect(await bytesOf(body.open())).toHaveLength(0);
});

test('nothing is read before a replica asks, nor more than it asks for', async () => {
  const client = new Client(chunksOf([1, 1, 1]));
  const body = new ReplayableBody(client.stream);
  const reader = body.open().getReader();
  await turnOfTheLoop();
  expect(client.asked).toBe(0);
  for (let asked = 1; asked <= 3; asked++) {
    await served(client, reader.read());
    await turnOfTheLoop();
    expect(client.asked).toBe(asked);
  }
});

test('each chunk that is taken is told of, and the end, but not what is only asked for', async () => {
  const client = new Client(chunksOf([1, 1]));
  let taken = 0;
  const reader = new ReplayableBody(client.stream).open(() => taken++).getReader();
  const first = reader.read();
  await turnOfTheLoop();
  expect(taken).toBe(0);
  await served(client, first);
  expect(taken).toBe(1);
  await served(client, reader.read());
  await served(client, reader.read());
  expect(taken).toBe(3);
});

interface GivenUp {
  /** Chunks that the replica takes. */
  readonly takes: number;
  /** Whether it waits for one more when it is given up. */
  readonly waits: boolean;
  /** Some HTTP clients cancel the stream, some just drop it. */
  readonly how: 'cancelled' | 'dropped';
  /** When what it waited for arrives: before the body is opened again, after, or after that one has begun to read. */
  readonly arrives: 'before' | 'after' | 'while read';
}

const anySize = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 2000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 50_000, max: 130_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(KEPT_BYTES_MAX - 1, KEPT_BYTES_MAX, KEPT_BYTES_MAX + 1) },
);
const anyGivenUp: fc.Arbitrary<GivenUp> = fc.record({
  takes: fc.nat({ max: 5 }),
  waits: fc.boolean(),
  how: fc.constantFrom('cancelled', 'dropped'),
  arrives: fc.constantFrom('before', 'after', 'while read'),
});

test('whatever the chunks and wherever replicas are given up, the next gets every byte or an error, and no more than the limit is kept', async () => {
  // What went wrong: a stream that was given up while it waited for a chunk used that chunk up when it came; with the
  // limit passed it dropped chunks the next stream had not had yet, and that one then ended early, as if whole.
  let wholes = 0;
  let errors = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anySize, { maxLength: 8 }),
      fc.array(anyGivenUp, { maxLength: 4 }),
      async (sizes, givenUps) => {
        const client = new Client(chunksOf(sizes));
        const body = new ReplayableBody(client.stream);
        const largest = Math.max(0, ...sizes);
        const checkLimit = (): void => expect(body.keptBytes).toBeLessThanOrEqual(KEPT_BYTES_MAX + largest);
        let arriving: (() => void) | undefined;
        for (const { takes, waits, how, arrives } of givenUps) {
          const reader = body.open().getReader();
          if (arriving !== undefined) {
            const reading = reader.read().catch(() => undefined);
            arriving();
            arriving = undefined;
            await served(client, reading);
          }
          for (let i = 0; i < takes; i++) {
            if (await ended(served(client, reader.read()))) break;
            checkLimit();
          }
          if (waits) void reader.read().catch(() => {});
          await turnOfTheLoop();
          if (how === 'cancelled') reader.cancel().catch(() => {});
          if (!client.isAsked) continue;
          if (arrives === 'before') client.send();
          else arriving = () => client.send();
          await turnOfTheLoop();
          if (arrives === 'after') {
            body.open();
            arriving?.();
            arriving = undefined;
            await turnOfTheLoop();
          }
        }
        const { whole } = body;
        const got = await served(
          client,
          bytesOf(body.open()).catch(() => undefined),
        );
        checkLimit();
        if (whole) {
          wholes++;
          expect(got).toEqual(Buffer.concat(client.chunks));
          const total = sizes.reduce((sum, size) => sum + size, 0);
          if (total <= KEPT_BYTES_MAX) expect(body.whole).toBe(true);
        } else {
          errors++;
          // An end would pass off what is left for the whole.
          expect(got).toBeUndefined();
        }
      },
    ),
    { seed: SEED, numRuns: 300 },
  );
  // The property is about both.
  expect(Math.min(wholes, errors)).toBeGreaterThan(20);
});

async function ended(read: Promise<{ done: boolean }>): Promise<boolean> {
  return read.then(
    ({ done }) => done,
    () => true,
  );
}

describe('a read that was under way when its replica was given up', () => {
  const cases = (['cancelled', 'dropped'] as const).flatMap((how) =>
    (['before', 'after'] as const).map((arrives) => [how, arrives] as const),
  );
  // Dropped, and no other stream opened: for all we know it is still wanted.
  test.each(cases.filter(([how, arrives]) => how === 'cancelled' || arrives === 'after'))(
    'is the next one’s, the stream being %s and the chunk there %s it is opened',
    async (how, arrives) => {
      // The second chunk passes the limit: who takes it drops what was before.
      const client = new Client(chunksOf([KEPT_BYTES_MAX - 10, 50, 50]));
      const body = new ReplayableBody(client.stream);
      const first = body.open().getReader();
      await served(client, first.read());
      first.read().catch(() => {});
      await turnOfTheLoop();
      if (how === 'cancelled') void first.cancel();
      if (arrives === 'before') client.send();
      await turnOfTheLoop();
      expect(body.whole).toBe(true);
      const second = body.open();
      if (arrives === 'after') client.send();
      await turnOfTheLoop();
      expect(await served(client, bytesOf(second))).toEqual(Buffer.concat(client.chunks));
      expect(client.asked).toBe(client.chunks.length + 1);
    },
  );
});

test.each([
  [KEPT_BYTES_MAX, true],
  [KEPT_BYTES_MAX + 1, false],
])('a body of %d bytes that was taken is whole: %p', async (size, whole) => {
  for (const sizes of [[size], [1, size - 1], [size - 1, 1]]) {
    const client = new Client(chunksOf(sizes));
    const body = new ReplayableBody(client.stream);
    await served(client, bytesOf(body.open()));
    expect(body.whole).toBe(whole);
  }
});

test('of two streams that are open the older gives nothing more', async () => {
  const client = new Client(chunksOf([4, 4]));
  const body = new ReplayableBody(client.stream);
  const older = body.open().getReader();
  await served(client, older.read());
  const newer = body.open();
  const late = ended(older.read());
  expect(await served(client, bytesOf(newer))).toEqual(Buffer.concat(client.chunks));
  expect(await late).toBe(true);
});

test('a client that breaks off is an error to each stream, never an end', async () => {
  const client = new Client(chunksOf([4, 4]));
  const body = new ReplayableBody(client.stream);
  const first = body.open().getReader();
  await served(client, first.read());
  const pending = first.read();
  await turnOfTheLoop();
  client.breakOff(new Error('gone'));
  await expect(pending).rejects.toThrow('gone');
  await expect(bytesOf(body.open())).rejects.toThrow('gone');
});
