/**
 * Random streams of requests against the relay: what reaches a replica must be what a strict reading of the same bytes
 * allows, request for request and byte for byte. `bun tests/traffic/relay/campaign.ts STREAMS [SEED]` runs as many as
 * it is told; what fails is printed with the command that repeats it.
 */
import { readdirSync } from 'node:fs';
import { turn } from './client.ts';
import { BadMessage, readHead, readStatusLine, replyBody, valuesOf } from './message.ts';
import { read, type Reading } from './model.ts';
import type { Exchange } from './recording-upstream.ts';
import { Rig } from './rig.ts';
import { Random, streamOf, type Stream } from './streams.ts';

/** Relays at work at the same time, each with its own replica: what a replica sees, came through its relay. */
const LANES = 24;
/** Streams at the same time through one relay; they come from one seed. */
export const STREAMS_PER_SEED = 4;
/** A safety net: no stream waits for anything but the relay. */
const SEED_MAX_MS = 60_000;

export interface Outcome {
  readonly streams: number;
  /** Requests that were served. */
  readonly served: number;
  /** Streams that ended in a refusal. */
  readonly refused: number;
  readonly failures: readonly string[];
}

/** Answers with the body of the request, framed in one of several ways, and the number of the request. */
function answering(): (exchange: Exchange) => Promise<void> {
  let number = 0;
  return async (exchange) => {
    const mine = number++;
    numbers.set(exchange, mine);
    await exchange.whole;
    const body = exchange.body.bytes;
    const start = `HTTP/1.1 200 OK\r\nX-Number: ${mine}\r\n`;
    if (exchange.method === 'HEAD')
      return exchange.write(`${start}Content-Length: ${body.byteLength}\r\n\r\n`);
    switch (mine % 6) {
      case 0: {
        const size = body.byteLength.toString(16);
        const chunk = body.byteLength === 0 ? '' : `${size}\r\n${body.toString('latin1')}\r\n`;
        return exchange.write(`${start}Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`);
      }
      case 1:
        exchange.write(`${start}Connection: close\r\n\r\n`, body);
        return exchange.channel.shutdown();
      default:
        return exchange.write(`${start}Content-Length: ${body.byteLength}\r\n\r\n`, body);
    }
  };
}

const numbers = new WeakMap<Exchange, number>();

/** Sends a stream, then its half of the end; resolves with all that came back. */
function converse(port: number, { pieces }: Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    let unsent: Uint8Array | undefined;
    let flushed: (() => void) | undefined;
    let closed = false;
    const send = (socket: Bun.Socket, bytes: Uint8Array): void => {
      const sent = Math.max(0, socket.write(bytes));
      unsent = sent < bytes.byteLength ? bytes.subarray(sent) : undefined;
    };
    const sendAll = async (socket: Bun.Socket): Promise<void> => {
      for (const piece of pieces) {
        if (closed) return;
        send(socket, piece);
        if (unsent !== undefined) await new Promise<void>((done) => (flushed = done));
        if (pieces.length > 1) await turn();
      }
      if (!closed) socket.shutdown();
    };
    Bun.connect({
      hostname: '127.0.0.1',
      port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => void sendAll(socket).catch(reject),
        data: (_, bytes) => void received.push(bytes),
        drain: (socket) => {
          if (unsent !== undefined) send(socket, unsent);
          if (unsent === undefined) flushed?.();
        },
        end: (socket) => void socket.end(),
        close: () => {
          closed = true;
          flushed?.();
          resolve(Buffer.concat(received));
        },
        error: () => {},
      },
    }).catch(reject);
  });
}

interface Verdict {
  /** Numbers of the requests that the replies belong to. */
  readonly numbers: readonly number[];
  readonly refused: boolean;
}

/** Reads what came back and holds it against the reading of what was sent; throws where they differ. */
function judge(answer: Buffer, reading: Reading, seen: ReadonlyMap<number, Exchange>): Verdict {
  const claimed: number[] = [];
  let unread = answer;
  while (unread.byteLength > 0) {
    const expected = reading.served[claimed.length];
    const method = expected?.method ?? reading.restMethod ?? 'GET';
    const head = readHead(unread);
    if (head === undefined)
      throw new BadMessage(`half a reply: ${JSON.stringify(unread.toString('latin1'))}`);
    const line = readStatusLine(head.line);
    const rest = unread.subarray(head.raw.length);
    if (line.status < 200) {
      unread = rest;
      continue;
    }
    if (valuesOf(head.fields, 'x-served-by').length === 0) {
      if (line.status < 400 || line.status === 502 || line.status >= 506)
        throw new Error(`refused with ${line.status}`);
      const length = Number(valuesOf(head.fields, 'content-length')[0]);
      if (rest.byteLength !== 0 && rest.byteLength !== length) throw new Error('a reply after a refusal');
      if (claimed.length < Math.min(reading.served.length, reading.uncertainFrom))
        throw new Error(`refused request ${claimed.length}, which is good, with ${line.status}`);
      if (reading.rest === 'closed' && claimed.length >= reading.served.length)
        throw new Error('a refusal after the last request');
      return { numbers: claimed, refused: true };
    }
    if (expected === undefined) throw new Error(`served request ${claimed.length}, which is none`);
    const body = replyBody(head, line, method);
    unread = rest.subarray(body.feed(rest));
    if (!body.done && body.framing !== 'close') throw new Error('a reply that broke');
    const number = Number(valuesOf(head.fields, 'x-number')[0]);
    const exchange = seen.get(number);
    if (exchange === undefined) throw new Error('a reply to no request');
    const [target, text] = [exchange.target, exchange.body.text];
    if (exchange.method !== method || target !== expected.target || text !== expected.body)
      throw new Error(
        `the replica saw ${JSON.stringify([exchange.method, target, text])} for ${JSON.stringify(expected)}`,
      );
    if (method !== 'HEAD' && body.text !== text) throw new Error('the reply is another request’s');
    claimed.push(number);
    // To a client of HTTP/1.0 that is how a reply without a length ends, and nothing can follow.
    if (body.framing === 'close') return { numbers: claimed, refused: false };
  }
  if (claimed.length < Math.min(reading.served.length, reading.uncertainFrom))
    throw new Error(`served ${claimed.length} of ${reading.served.length} good requests`);
  if (reading.rest === 'bad' && reading.uncertainFrom === Infinity)
    throw new Error('what is no request was not refused');
  return { numbers: claimed, refused: false };
}

class Lane {
  served = 0;
  refused = 0;
  readonly rig = new Rig([answering()]);

  /** Runs the streams of one seed at the same time; throws with what is wrong. */
  async run(seed: number): Promise<void> {
    const upstream = this.rig.upstream();
    const random = new Random(seed);
    const streams = Array.from({ length: STREAMS_PER_SEED }, () => streamOf(random));
    const answers = await this.#answers(streams);
    await turn();
    const seen = new Map(upstream.exchanges.map((one) => [numbers.get(one) as number, one]));
    const claimed = new Set<number>();
    for (const [i, answer] of answers.entries()) {
      const { bytes } = streams[i] as Stream;
      try {
        const verdict = judge(answer, read(bytes), seen);
        for (const number of verdict.numbers) {
          if (claimed.has(number)) throw new Error('two replies to one request');
          claimed.add(number);
        }
        if (verdict.refused) this.refused++;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw new Error(`${why}\n  sent: ${JSON.stringify(bytes.toString('latin1'))}`, { cause: error });
      }
    }
    const unclaimed = upstream.completed.find((one) => !claimed.has(numbers.get(one) as number));
    if (unclaimed !== undefined)
      throw new Error(`a request without a reply: ${JSON.stringify(unclaimed.head.raw)}`);
    if (upstream.complaints.length > 0) throw new Error(upstream.complaints.join('; '));
    if (!this.rig.released) throw new Error('a lease was not released');
    this.served += claimed.size;
    upstream.forget();
    this.rig.leases.length = 0;
  }

  async #answers(streams: readonly Stream[]): Promise<Buffer[]> {
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('a connection did not end')), SEED_MAX_MS);
    });
    const all = Promise.all(streams.map((stream) => converse(this.rig.relay.port, stream)));
    try {
      return await Promise.race([all, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Runs so many streams, from a seed on; stops at the first few failures. */
export async function campaign(streams: number, firstSeed: number): Promise<Outcome> {
  const FAILURES_MAX = 5;
  const failures: string[] = [];
  const seeds = Math.ceil(streams / STREAMS_PER_SEED);
  let next = 0;
  let served = 0;
  let refused = 0;
  const unhandled = (error: unknown): void => {
    failures.push(`unhandled: ${error instanceof Error ? error.stack : error}`);
  };
  process.on('unhandledRejection', unhandled);
  process.on('uncaughtException', unhandled);
  const work = async (): Promise<void> => {
    const lane = new Lane();
    try {
      while (next < seeds && failures.length < FAILURES_MAX) {
        const seed = firstSeed + next++;
        try {
          await lane.run(seed);
        } catch (error) {
          const repeat = `bun tests/traffic/relay/campaign.ts ${STREAMS_PER_SEED} ${seed}`;
          failures.push(`${repeat}\n  ${error instanceof Error ? error.message : error}`);
          // What went wrong here may go on in what comes next.
          return;
        }
      }
    } finally {
      served += lane.served;
      refused += lane.refused;
      await lane.rig[Symbol.asyncDispose]().catch((error: Error) => failures.push(error.message));
    }
  };
  await Promise.all(Array.from({ length: Math.min(LANES, seeds) }, work));
  process.off('unhandledRejection', unhandled);
  process.off('uncaughtException', unhandled);
  return { streams: seeds * STREAMS_PER_SEED, served, refused, failures };
}

/** How many descriptors this process has open. */
export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

if (import.meta.main) {
  const [streams = '10000', seed = '1'] = process.argv.slice(2);
  const began = performance.now();
  const outcome = await campaign(Number(streams), Number(seed));
  const seconds = (performance.now() - began) / 1000;
  for (const failure of outcome.failures) process.stdout.write(`${failure}\n`);
  process.stdout.write(
    `${outcome.streams} streams in ${seconds.toFixed(1)} s, ${outcome.served} requests served, ` +
      `${outcome.refused} streams refused, ${outcome.failures.length} failures\n`,
  );
  process.exit(outcome.failures.length === 0 ? 0 : 1);
}
