import type { ClientConnection } from './client.ts';
import type { RelayContext } from './context.ts';
import type { Upstream, UpstreamUser } from './upstream.ts';
import { FrameTracker, goingAway } from './websocket.ts';
import type { Wire } from './wire.ts';

/**
 * When a replica leaves its server is sent a Close, and what it still sends is passed on until it answers with its own: then,
 * or when it was silent for so long, the client is sent one.
 */
const ANSWER_MS = 100;
/** How long a client that was sent a Close may be silent before it is over. */
const GOODBYE_MS = 1000;

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
  /** Whether the Closes are ours: where a peer has begun to close, that goes its own way. */
  #oursToClose = false;
  /** Whether the server had its time to answer. */
  #due = false;
  /** Whether a half was closed in good order. What closes without that, before us, was reset. */
  #halfClosed = false;
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

  clientTook(all: boolean): void {
    this.#progress();
    if (all) this.#upstream.unhold();
  }

  upstreamTook(all: boolean): void {
    this.#progress();
    if (all) this.#client.unhold();
  }

  clientEnded(): void {
    this.#halfClosed = true;
    this.#upstream.finish();
  }

  upstreamEnded(): void {
    this.#halfClosed = true;
    this.#goodbyeDown();
    this.#client.finish();
  }

  clientClosed(): void {
    this.#end();
    // What waits there is still sent: a reset would take it away.
    this.#upstream.leave(this.#tellsEnd || this.#halfClosed ? 'drain' : 'cut');
  }

  upstreamClosed(): void {
    this.#goodbyeDown();
    this.#end();
    if (this.#tellsEnd || this.#halfClosed) this.#client.tunnelOver();
    else this.#client.cut();
  }

  connected(): void {}
  unconnected(): void {}

  /** The replica leaves: a WebSocket is closed between two frames; of other protocols nothing is known. */
  leave(): void {
    if (this.#leaving || !this.#tellsEnd) return;
    this.#leaving = true;
    this.#oursToClose = this.#up.frames?.closed !== true && this.#down.frames?.closed !== true;
    if (this.#oursToClose && this.#up.frames?.atBoundary === true) this.#sayGoodbye(this.#up);
    this.#progress();
  }

  /** The replica's time is over. */
  cut(): void {
    const hadItsTime = this.#down.closed && !this.#client.blocked;
    // Between two frames the client can still be told.
    const told = this.#goodbyeDown();
    this.#end();
    this.#upstream.leave('cut');
    if (hadItsTime) this.#client.close();
    else if (told) this.#client.tunnelOver();
    else this.#client.cut();
  }

  onDeadline(): void {
    if (!this.#leaving && this.#tellsEnd) return this.leave();
    const told = this.#due || this.#down.closed;
    // What waits for its reader is on its way: how long that may take is for the drain timeout to say.
    if (this.#leaving && !told && (this.#client.blocked || this.#upstream.blocked)) return this.#progress();
    if (!this.#leaving || told || !this.#oursToClose) return this.cut();
    this.#due = true;
    this.#goodbyeDown();
    this.#progress();
  }

  /** Whether the end of its messages can be told from their bytes, so that a reset has to say nothing. */
  get #tellsEnd(): boolean {
    return this.#up.frames !== undefined;
  }

  #pass(lane: Lane, bytes: Buffer): void {
    if (this.#over) return;
    this.#progress();
    const { frames } = lane;
    if (frames === undefined) return this.#send(lane, bytes, bytes.length);
    const past = lane.closed ? 0 : this.#passFrames(lane, frames, bytes);
    // Nothing follows our Close, but the answer to it may be there.
    if (lane.closed) frames.read(bytes, past, bytes.length, 'no');
    // Both have said goodbye: the server closes first (RFC 6455, section 7.1.1), and here that is us.
    if (this.#up.frames?.closed === true && this.#down.closed) this.#client.finish();
  }

  /** Passes frames on as far as they may pass. Returns the offset past them. */
  #passFrames(lane: Lane, frames: FrameTracker, bytes: Buffer): number {
    const stop = !this.#oursToClose ? 'no' : lane === this.#up || this.#due ? 'boundary' : 'close';
    const past = frames.read(bytes, 0, bytes.length, stop);
    this.#send(lane, bytes, past);
    if (stop === 'boundary' ? frames.atBoundary : past < bytes.length) this.#sayGoodbye(lane);
    return past;
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

  /** Sends the client our Close, where no frame is in the way. Whether it was sent. */
  #goodbyeDown(): boolean {
    if (!this.#oursToClose) return false;
    const { closed, frames } = this.#down;
    if (!closed && frames?.atBoundary === true) this.#sayGoodbye(this.#down);
    return this.#down.closed;
  }

  #progress(): void {
    const { deadlines, config } = this.#context;
    const limitMs = !this.#leaving
      ? config.tunnelIdleTimeoutMs
      : this.#oursToClose && !this.#due && !this.#down.closed
        ? ANSWER_MS
        : GOODBYE_MS;
    this.#client.deadlineMs = deadlines.nowMs + limitMs;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#release();
  }
}
