import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import type { Socket, TCPSocketListener } from 'bun';
import { forgetPeak, memoryOf } from '../processes.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';
import { settled } from '../traffic/relay/client.ts';
import { BodySink, BodySource, SlowReader } from './large-body.ts';

setDefaultTimeout(600_000);

const MB = 1_000_000;
/** `BODY_MB=1000 bun test tests/faults/bodies.test.ts` for one of 1 GB. */
const BODY_BYTES = Number(process.env['BODY_MB'] ?? 256) * MB;
/** Enough for the heap to be as large as garbage between two collections makes it. */
const WARM_UP_BYTES = 128 * MB;
/** What a body may need at its peak above the peak of the one that warmed up, however much larger it is. */
const GROWTH_MAX_BYTES = 64 * MB;
/** The same above what the process has at its start. */
const GROWTH_IN_ALL_MAX_BYTES = 160 * MB;
/** A slow reader stops as often in each body. */
const STOPS = 12;
/** What may be on its way between sender and reader: mostly socket buffers, which the kernel makes as large as it likes. */
const UNDER_WAY_MAX_BYTES = BODY_BYTES / 2;

type Pace = 'fast' | 'slow';

/** One body on its way. */
interface Transfer {
  source: BodySource | undefined;
  readonly sink: BodySink;
  reader: SlowReader | undefined;
  /** The most that was sent and not yet received. */
  underWayBytes: number;
}

let transfer: Transfer;

function begin(): Transfer {
  transfer = { source: undefined, sink: new BodySink(), reader: undefined, underWayBytes: 0 };
  return transfer;
}

const sentBytes = (): number => transfer.source?.sentBytes ?? 0;

function slowReader(socket: Socket<unknown>, totalBytes: number): SlowReader {
  const standsStill = async (): Promise<void> => {
    await settled(sentBytes);
    transfer.underWayBytes = Math.max(transfer.underWayBytes, sentBytes() - transfer.sink.receivedBytes);
  };
  return new SlowReader(socket, Math.ceil(totalBytes / (STOPS + 1)), standsStill);
}

/** Reads the head of a message, then its body, whose length stands in it. */
class Message {
  head = '';
  bodyBytes = 0;
  #inHead = true;

  /** True once it is whole. */
  take(bytes: Buffer, onHead: () => void): boolean {
    let body = bytes;
    if (this.#inHead) {
      this.head += bytes.toString('latin1');
      const end = this.head.indexOf('\r\n\r\n');
      if (end < 0) return false;
      body = bytes.subarray(bytes.length - (this.head.length - end - 4));
      this.head = this.head.slice(0, end + 2);
      this.bodyBytes = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(this.head)?.[1] ?? 0);
      this.#inHead = false;
      onHead();
    }
    transfer.sink.take(body);
    transfer.reader?.read(transfer.sink.receivedBytes);
    return transfer.sink.receivedBytes >= this.bodyBytes;
  }
}

interface Connection {
  message: Message;
  source: BodySource | undefined;
}

/** A server that takes bodies, and sends those that it is asked for by their size. */
function serve(pace: Pace): TCPSocketListener<Connection> {
  return Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { message: new Message(), source: undefined };
      },
      drain: (socket) => void socket.data.source?.pump(),
      data: (socket, bytes) => {
        const { message } = socket.data;
        if (bytes.length < 1000 && bytes.toString('latin1').startsWith('GET ')) return reply(socket, bytes);
        const whole = message.take(bytes, () => {
          if (pace === 'slow') transfer.reader = slowReader(socket, message.bodyBytes);
        });
        if (!whole) return;
        socket.data.message = new Message();
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      },
    },
  });
}

/** Answers a heartbeat, or with the body that is asked for. */
function reply(socket: Socket<Connection>, request: Buffer): void {
  const size = Number(/^GET \/(\d+)/.exec(request.toString('latin1'))?.[1] ?? 0);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
  if (size === 0) return;
  transfer.source = new BodySource(socket, size);
  socket.data.source = transfer.source;
  transfer.source.pump();
}

/** Sends a body, or asks for one; resolves when the reply is whole. */
async function exchange(port: number, way: 'up' | 'down', bytes: number, pace: Pace): Promise<void> {
  const done = Promise.withResolvers<void>();
  const message = new Message();
  const current = begin();
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      drain: () => void (way === 'up' && current.source?.pump()),
      data: (self, data) => {
        const onHead = (): void => {
          if (way === 'down' && pace === 'slow') current.reader = slowReader(self, message.bodyBytes);
        };
        if (way === 'up' ? data.includes('\r\n\r\n') : message.take(data, onHead)) done.resolve();
      },
      close: () => done.reject(new Error('the connection ended before the reply')),
      error: () => {},
    },
  });
  if (way === 'up') {
    socket.write(`PUT /up HTTP/1.1\r\nHost: test\r\nContent-Length: ${bytes}\r\n\r\n`);
    current.source = new BodySource(socket, bytes);
    current.source.pump();
  } else {
    socket.write(`GET /${bytes} HTTP/1.1\r\nHost: test\r\n\r\n`);
  }
  await done.promise;
  socket.end();
  expect([current.sink.wrongAt, current.sink.receivedBytes, sentBytes()]).toEqual([undefined, bytes, bytes]);
}

let ringmaster: Spawned | undefined;
let server: TCPSocketListener<Connection> | undefined;
afterEach(async () => {
  await ringmaster?.end('SIGTERM');
  server?.stop(true);
});

describe('a body through the relay', () => {
  test.each([
    ['up', 'fast'],
    ['up', 'slow'],
    ['down', 'fast'],
    ['down', 'slow'],
  ] as const)('%s, to a %s reader, arrives byte for byte and takes no memory', async (way, pace) => {
    server = serve(pace);
    ringmaster = await spawnRingmaster({ RUNTIME: 'static', UPSTREAMS: `a=127.0.0.1:${server.port}` });
    const port = Number(new URL(ringmaster.traffic).port);
    const start = memoryOf(ringmaster.pid).residentBytes;
    await exchange(port, way, WARM_UP_BYTES, pace);
    const warm = memoryOf(ringmaster.pid).peakBytes;
    await forgetPeak(ringmaster.pid);
    await exchange(port, way, BODY_BYTES, pace);
    const { residentBytes: after, peakBytes: peak } = memoryOf(ringmaster.pid);
    const mb = (bytes: number): string => (bytes / MB).toFixed(1);
    process.stdout.write(
      `${mb(BODY_BYTES)} MB ${way}, ${pace} reader: ${mb(start)} MB at the start, ${mb(warm)} MB warm, ${mb(after)} MB after, peak ${mb(peak)} MB` +
        `${pace === 'slow' ? `, at most ${mb(transfer.underWayBytes)} MB under way` : ''}\n`,
    );
    expect(peak).toBeGreaterThanOrEqual(after);
    expect(peak - warm).toBeLessThan(GROWTH_MAX_BYTES);
    expect(peak - start).toBeLessThan(GROWTH_IN_ALL_MAX_BYTES);
    if (pace === 'fast') return;
    expect(transfer.reader?.stops).toBe(STOPS);
    expect(transfer.underWayBytes).toBeLessThan(UNDER_WAY_MAX_BYTES);
  });
});
