import type { Explanation } from '../../fleet/explain.ts';
import type { Lease } from '../../fleet/member.ts';
import { CR, hasControl, LF } from '../http1/bytes.ts';
import { Flaw } from '../http1/head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { RelayContext } from './context.ts';
import { Exchange } from './exchange.ts';
import type { KnownRequest } from './known-heads.ts';
import type { ClientCounts } from '../clients.ts';
import { NOBODY } from '../tally.ts';
import { optionsReply, refusal } from './refusal.ts';
import type { Sender } from './request-fields.ts';
import type { Tunnel } from './tunnel.ts';
import { Wire, type WireSocket } from './wire.ts';

/** What a client has sent ahead of the reply to its last request; over this it is not read from. */
const AHEAD_BYTES_MAX = 64 * 1024;
/**
 * A client that still sends is read from after our last reply, since a reset would take that reply away: until it is
 * silent for so long, and no longer or more than that in all.
 */
const LINGER_MS = 2000;
const LINGER_ALL_MS = 30_000;
const LINGER_BYTES_MAX = 64 * 1024 * 1024;
/** Unused bytes are copied out of what they came in when they are less than this part of it. */
const COPIED_PART_MAX = 0.5;

type Phase = 'requests' | 'tunnel' | 'lingering';

/** A client: its requests one after the other, each with the reply before the next. */
export class ClientConnection extends Wire {
  readonly sender: Sender;
  readonly #context: RelayContext;
  #phase: Phase = 'requests';
  #exchange: Exchange | undefined;
  #tunnel: Tunnel | undefined;
  /** What came and could not be used yet, from #aheadAt on. */
  #ahead: Buffer | undefined;
  #aheadAt = 0;
  /** Whether the bytes ahead are a part of a head. */
  #headBegan = false;
  /** The client has closed its half. */
  #ended = false;
  #reading = false;
  /** The request before this one, where it was a plain one. */
  #known: KnownRequest | undefined;
  #lingered = 0;
  #lingersUntilMs = 0;
  #leaving = false;

  constructor(context: RelayContext, socket: WireSocket, address: string) {
    super(socket);
    this.#context = context;
    this.sender = context.senderOf(address);
    this.#restUntilNext();
    context.deadlines.add(this);
  }

  /** The request that is under way. */
  get exchange(): Exchange | undefined {
    return this.#exchange;
  }

  /** Whether no further request can come after the one under way. */
  get ending(): boolean {
    return this.#ended && this.#ahead === undefined;
  }

  /** What the connection is there for just now. */
  get use(): keyof ClientCounts {
    if (this.#phase === 'tunnel') return 'tunnel';
    if (this.#phase === 'lingering') return 'closing';
    return this.#exchange !== undefined || this.#headBegan ? 'active' : 'idle';
  }

  // ---- from the socket

  onData(received: Buffer): void {
    if (this.#phase === 'tunnel') return this.#tunnel?.fromClient(received);
    if (this.#phase === 'lingering') return this.#discard(received);
    if (this.#ahead === undefined) return this.#read(received, 0, received.length);
    const held = this.#ahead.subarray(this.#aheadAt);
    const bytes = Buffer.concat([held, received]);
    this.#ahead = undefined;
    // Without a control character no line has ended and none is wrong: a head that drips in is not read again for each byte.
    if (
      this.#headBegan &&
      bytes.length < this.#context.config.headBytesMax &&
      !hasControl(received, 0, received.length)
    )
      return this.#keepAhead(bytes, 0);
    this.#read(bytes, 0, bytes.length);
  }

  onDrain(): void {
    const sent = this.flush();
    if (this.#phase === 'lingering') return this.#waitForEnd();
    if (this.#exchange === undefined && this.#tunnel === undefined) this.#restUntilNext();
    if (this.#tunnel !== undefined) return this.#tunnel.clientTook(sent);
    this.#exchange?.clientTook(sent);
    if (sent) this.#readAhead();
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#tunnel !== undefined) this.#tunnel.clientEnded();
    else if (this.#phase === 'requests') this.#readLast();
  }

  onClose(): void {
    if (!this.open) return;
    this.closed();
    this.#context.deadlines.remove(this);
    this.#ahead = undefined;
    this.#exchange?.clientGone();
    this.#exchange = undefined;
    this.#tunnel?.clientClosed();
    this.#tunnel = undefined;
  }

  override onDeadline(): void {
    if (this.#tunnel !== undefined) this.#tunnel.onDeadline();
    else if (this.#exchange !== undefined) this.#exchange.onDeadline();
    // Not reset: the kernel may still hold the end of the reply.
    else if (this.#phase === 'lingering' || this.blocked) this.close();
    else if (this.#headBegan) this.#refuseHead(408, 'The head of the request did not come in time');
    else this.#linger();
  }

  /** No request is to follow the one under way, and a tunnel is brought to its end. */
  stop(): void {
    this.#tunnel?.leave();
    if (this.#phase !== 'requests' || this.#exchange !== undefined || this.#headBegan) return;
    // The end of the last reply may still wait for the client to take it.
    if (this.blocked) this.#linger();
    else this.close();
  }

  /** Ends it whatever is under way; a reply that was sent is not taken away. */
  stopNow(): void {
    if (this.#phase === 'lingering') this.close();
    else this.cut();
  }

  // ---- from the exchange

  /** The lease's news go to whatever is under way here. */
  watch(lease: Lease): void {
    this.#leaving = false;
    lease.onLost = this.#onLost;
    lease.onLeaving = this.#onLeaving;
    lease.onCut = this.#onCut;
  }

  readonly #onLost = (): void => this.#exchange?.lost();

  readonly #onLeaving = (): void => {
    this.#leaving = true;
    this.#tunnel?.leave();
  };

  readonly #onCut = (): void => {
    this.#tunnel?.cut();
    this.#exchange?.cutOff();
  };

  /** The replica takes more of the body. */
  bodyWanted(): void {
    if (!this.#reading) this.#readAhead();
  }

  /** The reply is sent. `persistent`: another request may follow. */
  exchangeOver(persistent: boolean): void {
    this.#exchange = undefined;
    if (!persistent || this.#context.stopping) return this.#linger();
    this.#restUntilNext();
    if (!this.#reading) this.#readAhead();
  }

  /** Answers for the replicas. `persistent`: another request may follow. */
  refuse(
    status: number,
    message: string,
    method: string,
    persistent: boolean,
    explained?: Explanation,
  ): void {
    const close = !persistent || this.#context.stopping;
    const { date } = this.#context;
    const reply = refusal(status, message, { head: method === 'HEAD', close, date, explained });
    this.send(reply, 0, reply.length);
    this.exchangeOver(!close);
  }

  /** Answers what was never a request that a replica could have had. */
  #refuseHead(status: number, message: string, method = ''): void {
    this.#context.tally.of(NOBODY).counted(status);
    this.refuse(status, message, method, false);
  }

  becomesTunnel(tunnel: Tunnel): void {
    this.#exchange = undefined;
    this.#tunnel = tunnel;
    this.#phase = 'tunnel';
    const ahead = this.#ahead?.subarray(this.#aheadAt);
    this.#ahead = undefined;
    this.unhold();
    if (ahead !== undefined) tunnel.fromClient(ahead);
    if (this.#ended) tunnel.clientEnded();
    if (this.#leaving || this.#context.stopping) tunnel.leave();
  }

  /** The replica's side is gone: what it sent last is still to be delivered. */
  tunnelOver(): void {
    this.#tunnel = undefined;
    if (this.open) this.#linger();
  }

  // ---- requests

  #readAhead(): void {
    const bytes = this.#ahead;
    if (bytes === undefined) {
      this.unhold();
      if (this.#ended && this.#exchange === undefined) this.finish();
      return;
    }
    if (this.#phase !== 'requests' || this.#headBegan) return;
    const at = this.#aheadAt;
    this.#ahead = undefined;
    this.#read(bytes, at, bytes.length);
  }

  /** Uses bytes as far as they can be used now. An exchange that ends meanwhile is followed by the next in this same loop. */
  #read(bytes: Buffer, start: number, end: number): void {
    this.#reading = true;
    let at = start;
    while (at < end && this.#phase === 'requests' && this.open) {
      const exchange = this.#exchange;
      if (exchange === undefined) {
        if (this.blocked) break;
        const next = this.#begin(bytes, at, end);
        if (next < 0) break;
        at = next;
      } else {
        if (!exchange.takesBody) break;
        at = exchange.body(bytes, at, end);
      }
    }
    this.#reading = false;
    if (this.#phase !== 'requests' || !this.open) return;
    if (at < end) this.#keepAhead(bytes, at);
    else if (this.#exchange?.bodyBlocked === true) this.hold();
    else this.unhold();
    if (this.#ended) this.#readLast();
  }

  /** The client will send no more: what there is, is all. */
  #readLast(): void {
    if (this.#exchange === undefined) {
      if (this.#headBegan) this.#refuseHead(400, 'The connection was closed before the head was complete');
      else if (this.#ahead === undefined) this.finish();
    } else if (!this.#exchange.requestDone && this.#ahead === undefined) this.#exchange.requestCutShort();
  }

  /** Reads the head of the next request and sends it on its way. Returns the offset past what was used, or -1 where bytes are missing or no request is to come. */
  #begin(bytes: Buffer, at: number, end: number): number {
    const { requestHead, deadlines, config } = this.#context;
    let start = at;
    // Empty lines are the beginning of nothing (RFC 9112, section 2.2).
    while (start + 1 < end && bytes[start] === CR && bytes[start + 1] === LF) start += 2;
    if (start === end) {
      this.#headBegan = false;
      return end;
    }
    const fieldsAt = requestHead.readLine(bytes, start, end);
    const known =
      typeof fieldsAt === 'number' && fieldsAt > 0 ? this.#recall(bytes, start, fieldsAt, end) : undefined;
    if (known !== undefined) {
      this.#headBegan = false;
      requestHead.assumePlain(end);
      this.#exchange = new Exchange(this.#context, this, requestHead, bytes, start);
      return this.#exchange.begin(bytes, end, end, known);
    }
    const result =
      typeof fieldsAt === 'number'
        ? fieldsAt > 0 && requestHead.readFields(bytes, start, fieldsAt, end)
        : fieldsAt;
    if (result === false) {
      if (!this.#headBegan) this.deadlineMs = deadlines.nowMs + config.headTimeoutMs;
      this.#headBegan = true;
      return -1;
    }
    this.#headBegan = false;
    if (result instanceof Flaw) {
      this.#context.log.debug({ peer: this.sender.address, why: result.message }, 'request refused');
      const method = typeof fieldsAt === 'number' ? requestHead.method : '';
      this.#refuseHead(result.status, result.message, method);
      return -1;
    }
    if (requestHead.maxForwards === 0) {
      this.#answerOptions(requestHead);
      return requestHead.end;
    }
    const bodyAt = requestHead.end;
    const exchange = new Exchange(this.#context, this, requestHead, bytes, start);
    this.#exchange = exchange;
    return exchange.begin(bytes, bodyAt, end);
  }

  /** Answers a request that may not be forwarded any further (RFC 9110, section 7.6.2). */
  #answerOptions({ persistent, framing }: RequestHead): void {
    const goesOn = persistent && framing === 'none' && !this.#context.stopping;
    this.#context.tally.of(NOBODY).counted(200);
    const reply = optionsReply(this.#context.date, !goesOn);
    this.send(reply, 0, reply.length);
    this.exchangeOver(goesOn);
  }

  /** The request that came before with the same fields, and is all that there is to read. */
  #recall(bytes: Buffer, start: number, fieldsAt: number, end: number): KnownRequest | undefined {
    const { requestHead, knownRequests, config } = this.#context;
    if (knownRequests === undefined || !requestHead.ordinary || end - start > config.headBytesMax)
      return undefined;
    if (this.#known?.is(bytes, fieldsAt, end, this.sender) !== true)
      this.#known = knownRequests.find(bytes, fieldsAt, end, this.sender);
    return this.#known;
  }

  #keepAhead(bytes: Buffer, at: number): void {
    const left = bytes.length - at;
    const copied = left < bytes.length * COPIED_PART_MAX;
    this.#ahead = copied ? Buffer.from(bytes.subarray(at)) : bytes;
    this.#aheadAt = copied ? 0 : at;
    // Of a head as much is read as it takes to see that it is too long.
    if (this.#headBegan) return this.unhold();
    const waitsForReplica = this.#exchange !== undefined && !this.#exchange.requestDone;
    if (waitsForReplica || left > AHEAD_BYTES_MAX || this.blocked) this.hold();
  }

  #restUntilNext(): void {
    const { deadlines, config } = this.#context;
    this.deadlineMs = deadlines.nowMs + (this.blocked ? config.bodyStallTimeoutMs : config.idleTimeoutMs);
  }

  /** Ends the connection after what was sent; what the client still sends is thrown away. */
  #linger(): void {
    this.#phase = 'lingering';
    this.#ahead = undefined;
    this.#lingersUntilMs = this.#context.deadlines.nowMs + LINGER_ALL_MS;
    this.#waitForEnd();
    this.finish();
    this.unhold();
  }

  #waitForEnd(): void {
    const { deadlines, config } = this.#context;
    this.deadlineMs = deadlines.nowMs + (this.blocked ? config.bodyStallTimeoutMs : LINGER_MS);
  }

  #discard(bytes: Buffer): void {
    this.#lingered += bytes.length;
    if (this.#lingered > LINGER_BYTES_MAX) this.cut();
    else if (!this.blocked)
      this.deadlineMs = Math.min(this.#context.deadlines.nowMs + LINGER_MS, this.#lingersUntilMs);
  }
}
