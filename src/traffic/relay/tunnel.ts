import type { ClientConnection } from './client.ts';
import type { RelayContext } from './context.ts';
import type { Upstream, UpstreamUser } from './upstream.ts';
import { FrameTracker, goingAway } from './websocket.ts';
import type { Wire } from './wire.ts';

/** How long both sides have to answer the Close that a leaving replica's connections are sent. */
const GOODBYE_MS = 2000;

/** One direction of a tunnel. */
interface Lane {
  readonly to: Wire;
  readonly from: Wire;
  /** Whose frames pass, where they are a WebSocket's. */
  readonly sender: 'server' | 'client';
  readonly frames: FrameTracker | undefined;
  /** Whether our Close was put in, after which nothing follows. */
  closed: boolean;
}

/** What a connection becomes after 101: bytes both ways, whatever they mean, until both halves are closed. */
export class Tunnel implements UpstreamUser {
  readonly #context: RelayContext;
  readonly #client: ClientConnection;
  readonly #upstream: Upstream;
  readonly #release: () => void;
  readonly #up: Lane;
  readonly #down: Lane;
  #leaving = false;
  #over = false;

  constructor(
    context: RelayContext,
    client: ClientConnection,
    upstream: Upstream,
    protocol: string,
    release: () => void,
  ) {
    this.#context = context;
    this.#client = client;
    this.#upstream = upstream;
    this.#release = release;
    const webSocket = protocol === 'websocket';
    const frames = (): FrameTracker | undefined => (webSocket ? new FrameTracker() : undefined);
    this.#up = { from: client, to: upstream, sender: 'client', frames: frames(), closed: false };
    this.#down = { from: upstream, to: client, sender: 'server', frames: frames(), closed: false };
    upstream.handTo(this);
    this.#progress();
  }

  fromClient(bytes: Buffer): void {
    this.#pass(this.#up, bytes);
  }

  fromUpstream(bytes: Buffer): void {
    this.#pass(this.#down, bytes);
  }

  clientDrained(): void {
    this.#progress();
    this.#upstream.unhold();
  }

  upstreamDrained(): void {
    this.#progress();
    this.#client.unhold();
  }

  clientEnded(): void {
    this.#upstream.finish();
  }

  upstreamEnded(): void {
    this.#client.finish();
  }

  clientClosed(): void {
    this.#end();
    // What waits there is still sent: a reset would take it away.
    this.#upstream.leave('drain');
  }

  upstreamClosed(): void {
    this.#end();
    this.#client.tunnelOver();
  }

  connected(): void {}
  unconnected(): void {}

  /** The replica leaves: a WebSocket is told so at the end of the frame that passes; of other protocols nothing is known. */
  leave(): void {
    if (this.#leaving || this.#up.frames === undefined) return;
    this.#leaving = true;
    this.#client.deadlineMs = this.#context.deadlines.nowMs + GOODBYE_MS;
    for (const lane of [this.#down, this.#up]) if (lane.frames?.atBoundary === true) this.#sayGoodbye(lane);
  }

  /** Ends it at once. */
  cut(): void {
    this.#end();
    this.#upstream.leave('cut');
    this.#client.cut();
  }

  onDeadline(): void {
    this.cut();
  }

  #pass(lane: Lane, bytes: Buffer): void {
    if (this.#over) return;
    this.#progress();
    const { frames } = lane;
    if (frames === undefined) return this.#send(lane, bytes, bytes.length);
    if (!this.#leaving || lane.closed) {
      frames.read(bytes, 0, bytes.length, false);
      if (!lane.closed) this.#send(lane, bytes, bytes.length);
    } else {
      const past = frames.read(bytes, 0, bytes.length, true);
      this.#send(lane, bytes, past);
      if (frames.atBoundary) this.#sayGoodbye(lane);
      // Read on: the answer to our Close may be among them.
      frames.read(bytes, past, bytes.length, false);
    }
    // Both have said goodbye: the server closes first (RFC 6455, section 7.1.1), and here that is us.
    if (this.#leaving && this.#up.frames?.closed === true && this.#down.closed) this.#client.finish();
  }

  #send(lane: Lane, bytes: Buffer, end: number): void {
    if (!lane.to.send(bytes, 0, end)) lane.from.hold();
  }

  #sayGoodbye(lane: Lane): void {
    const said = lane.frames?.closed === true;
    lane.closed = true;
    if (said) return;
    const close = goingAway(lane.sender);
    lane.to.send(close, 0, close.length);
  }

  #progress(): void {
    if (this.#leaving) return;
    const { deadlines, config } = this.#context;
    this.#client.deadlineMs = deadlines.nowMs + config.tunnelIdleTimeoutMs;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#release();
  }
}
