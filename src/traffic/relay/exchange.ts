import type { Explanation } from '../../fleet/explain.ts';
import type { Lease } from '../../fleet/member.ts';
import { latin1 } from '../http1/bytes.ts';
import { ChunkedDecoder } from '../http1/chunked.ts';
import { Flaw } from '../http1/head.ts';
import type { RequestHead } from '../http1/request-head.ts';
import type { ReplyHead } from '../http1/reply-head.ts';
import { Attempts } from '../attempts.ts';
import { Place } from '../place.ts';
import {
  isComparable,
  isFree,
  isIdempotent,
  verdictOf,
  type Asked,
  type Failure,
  type Verdict,
} from '../retry.ts';
import type { ClientConnection } from './client.ts';
import type { RelayContext } from './context.ts';
import { knownReply, type KnownReply, type KnownRequest } from './known-heads.ts';
import type { Pool } from './pool.ts';
import { ReplyBody } from './reply-body.ts';
import { writeReplyHead } from './reply-fields.ts';
import { RequestBody } from './request-body.ts';
import { keptRequestId, wantsExplanation, writeRequestHead } from './request-fields.ts';
import { KeptId, type MadeId, type RequestId } from './request-id.ts';
import { Tunnel } from './tunnel.ts';
import { SecondOpinion } from './second-opinion.ts';
import { CLIENT_GONE, NOBODY, type ReplicaTally } from '../tally.ts';
import type { Parting, Upstream, UpstreamUser } from './upstream.ts';

/** The piece that a head came in is held as long as the exchange lasts; of a larger one the head alone. */
const HEAD_HELD_BYTES_MAX = 32 * 1024;
/**
 * A request that may not be sent twice goes only on a connection that was used this recently: one that the replica closes
 * just then would leave open whether it was acted on.
 */
const FRESH_IDLE_MS_MAX = 1000;
/** After a reply that did not wait for the rest of its request: a client that is silent for so long keeps it to itself. */
const REST_STALL_MS = 2000;
/** Interim replies to one request (RFC 9110, section 15.2); more are no hints but a flood. */
const INTERIM_REPLIES_MAX = 32;

/** A body that comes in more slowly, from some seconds after its head on, gives way where its replica is full. */
const SLOW_BYTES_PER_S = 240;
const SLOW_AFTER_MS = 5000;

const SWITCHING_PROTOCOLS = 101;
const SPACE = 0x20;
const NONE: readonly string[] = [];
const NONE_TRIED = { tried: new Set<string>() };

type Phase =
  | 'connecting'
  /** A replica has the request, or is getting it, and owes the head of the reply. */
  | 'head'
  /** The client is getting the reply. */
  | 'body'
  /** The reply was whole before the request was, and the replica still takes what is left of it. */
  | 'rest'
  | 'over';

/** One request and its reply, whichever replicas it takes to get one. */
export class Exchange implements UpstreamUser {
  readonly method: string;
  readonly #context: RelayContext;
  readonly #client: ClientConnection;
  readonly #key: string;
  /** Whether the request has that key, and it was not drawn for it. */
  readonly #keyIsOwn: boolean;
  readonly #requestId: RequestId;
  readonly #madeId: MadeId | undefined;
  /** The head as it came; read again where it has to be written again. */
  readonly #headBytes: Buffer;
  readonly #headStart: number;
  readonly #minor: number;
  /** Whether the client is to be told why its request went where it went, and what it is told. */
  readonly #explains: boolean;
  #explained: Explanation | undefined;
  /** The protocols that are asked for, in lower case; empty for none. */
  readonly #upgrade: readonly string[];
  readonly #persistent: boolean;
  /** Undefined until one fails. */
  #attempts: Attempts | undefined;
  #place: Place<Pool> | undefined;
  /** Asked for while the replica is silent. */
  #opinion: SecondOpinion | undefined;
  #upstream: Upstream | undefined;
  /** Whether the connection was kept from an exchange before. */
  #reused = false;
  /**
   * A kept connection was closed as it was used: the same replica gets another chance, on a new one (RFC 9112, section
   * 9.3.1). Once for a request, since it may just as well be the request that ends its replica.
   */
  #stale = false;
  #resent = false;

  /** By the clock of the deadlines, and to the microsecond. */
  readonly #beganMs: number;
  readonly #headAtMs = performance.now();
  /** Undefined where the request has none. */
  readonly #body: RequestBody | undefined;
  /** Whether the client waits for a 100 before it sends its body. */
  #awaitsContinue: boolean;

  #phase: Phase = 'connecting';
  /** The part of a reply head that has come. */
  #headPart: Buffer | undefined;
  #replyBegan = false;
  #interim = 0;
  #reply: ReplyBody | undefined;
  #replicaPersists = false;
  #clientPersists = false;
  /** Whether the reply, once it is whole, speaks for the replica. */
  #answers = false;
  /** Of the reply that the client gets. */
  #status = 0;
  #isOver = false;
  /** Whether it gets a line of the log. */
  readonly #isLogged: boolean;

  constructor(
    context: RelayContext,
    client: ClientConnection,
    head: RequestHead,
    bytes: Buffer,
    start: number,
  ) {
    this.#context = context;
    this.#client = client;
    const large = bytes.length > HEAD_HELD_BYTES_MAX;
    this.#headBytes = large ? Buffer.from(bytes.subarray(start, head.end)) : bytes;
    this.#headStart = large ? 0 : start;
    this.method = head.method;
    const kept = keptRequestId(head);
    this.#madeId = kept === undefined ? context.ids.next() : undefined;
    this.#requestId = this.#madeId ?? new KeptId(kept ?? '');
    this.#minor = head.minor;
    this.#explains = wantsExplanation(head);
    this.#upgrade = head.protocols.length > 0 ? lowered(head.protocols) : NONE;
    this.#persistent = head.persistent;
    this.#beganMs = context.deadlines.nowMs;
    this.#isLogged = context.accessLog?.sample() === true;
    this.#awaitsContinue = head.continues;
    if (head.framing !== 'none') {
      const framing = head.framing === 'length' ? head.length : this.#decoder(head.fields.named);
      this.#body = new RequestBody(framing, isIdempotent(head.method));
    }
    const own = context.keyOf(head, client.sender);
    this.#keyIsOwn = own !== undefined;
    this.#key = own ?? crypto.randomUUID();
  }

  /** Whether the request is known to its end. */
  get requestDone(): boolean {
    return this.#body === undefined || this.#body.done;
  }

  /** Whether it takes bytes of the request's body now. */
  get takesBody(): boolean {
    return (
      !this.requestDone &&
      this.#phase !== 'connecting' &&
      this.#phase !== 'over' &&
      this.#upstream?.blocked === false
    );
  }

  /** Whether more of the body would only pile up. */
  get bodyBlocked(): boolean {
    return !this.requestDone && this.#upstream?.blocked === true;
  }

  /** Whether the body that was sent so far can be sent again from its first byte. */
  get #bodyWhole(): boolean {
    return this.#body === undefined || this.#body.whole;
  }

  /**
   * Asks the owner of the key; the request's head was just read, or is `known`. Returns the offset past what it took of
   * the body.
   */
  begin(bytes: Buffer, at: number, end: number, known?: KnownRequest): number {
    this.#context.budget.deposit();
    return this.#claim() && this.#reused ? this.#sendFirst(bytes, at, end, known) : at;
  }

  /** Takes of the request's body what there is. Returns the offset past it. */
  body(bytes: Buffer, at: number, end: number): number {
    this.#context.scratch.reset();
    return this.#passBody(bytes, at, end);
  }

  // ---- from the client

  /** Ends itself where its client takes a place at that instance with a body that hardly comes in; whether it did. */
  givesWay(pool: Pool): boolean {
    const tookMs = this.#context.deadlines.nowMs - this.#beganMs;
    if (this.#place?.flight !== pool || this.#body === undefined || !this.takesBody) return false;
    if (tookMs < SLOW_AFTER_MS || this.#body.sentBytes * 1000 >= SLOW_BYTES_PER_S * tookMs) return false;
    // One that is being replied to may be a conversation.
    if (this.#phase === 'head')
      this.#refuse(408, 'The body of the request came too slowly, while others waited');
    else if (this.#phase === 'rest') this.#close('cut');
    else return false;
    return true;
  }

  clientTook(all: boolean): void {
    this.progress();
    if (all) this.#upstream?.unhold();
  }

  /** The client is gone: nobody waits for the reply. */
  clientGone(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#ends(CLIENT_GONE)?.counted(CLIENT_GONE);
    this.#letGo('cut');
  }

  /** The client has closed its half with the request incomplete. */
  requestCutShort(): void {
    if (this.#phase === 'rest') return this.#close('cut');
    if (this.#phase === 'body') return this.#break('client');
    this.#refuse(400, 'The connection was closed before the request was complete');
  }

  onDeadline(): void {
    if (this.#phase === 'rest') return this.#close('cut');
    if (this.#phase === 'body') {
      const replicaIsLate = !this.#client.blocked && this.requestDone;
      if (replicaIsLate) this.#place?.lease.failed();
      return this.#break(replicaIsLate ? 'replica' : 'client');
    }
    const clientIsLate = !this.requestDone && !this.#awaitsContinue && this.takesBody;
    if (clientIsLate) return this.#refuse(408, 'The body of the request did not come in time');
    this.#failed('silent');
  }

  // ---- from the replica

  connected(): void {
    const { requestHead, scratch } = this.#context;
    // Read again: other requests have come since, and it was found good then.
    requestHead.read(this.#headBytes, this.#headStart, this.#headBytes.length);
    scratch.reset();
    this.#writeHead();
    this.#body?.writeAgain(scratch);
    this.#phase = 'head';
    this.#upstream?.send(scratch.bytes, 0, scratch.length);
    this.#expectReply();
    this.#client.bodyWanted();
  }

  unconnected(refused: boolean): void {
    this.#upstream = undefined;
    this.#failed(refused ? 'refused' : 'unconnected');
  }

  fromUpstream(received: Buffer): void {
    // Nobody asked for another reply.
    if (this.#phase === 'rest') return this.#close('cut');
    if (this.#phase === 'body') {
      this.#context.scratch.reset();
      return this.#passReply(received, 0);
    }
    this.#replyBegan = true;
    if (this.#opinion !== undefined) this.#settle();
    const place = this.#place;
    const known = place?.flight.knownReply;
    if (
      known?.begins(received, place?.lease.replica ?? '', this.#context.dateField) === true &&
      this.#isPlain
    )
      return this.#replyKnown(received, known);
    const bytes = this.#headPart === undefined ? received : Buffer.concat([this.#headPart, received]);
    this.#headPart = undefined;
    this.#readReplies(bytes);
  }

  upstreamTook(all: boolean): void {
    this.progress();
    if (all) this.#client.bodyWanted();
  }

  upstreamEnded(): void {
    if (this.#phase === 'body' && this.#reply?.end(this.#context.scratch, this.#client) === true)
      return this.#replyEnds(false);
    this.#died();
  }

  upstreamClosed(): void {
    this.#upstream = undefined;
    this.#died();
  }

  // ---- the request

  /** `named`: fields that Connection lists, in lower case. */
  #decoder(named: readonly string[]): ChunkedDecoder {
    const { headBytesMax, headFieldsMax } = this.#context.config;
    return new ChunkedDecoder(headBytesMax, headFieldsMax, named.length > 0 ? named : NONE);
  }

  /** Chooses a replica and a connection. False where the request is answered with an error instead. */
  #claim(): boolean {
    const { claim } = this.#context;
    if (this.#explains) this.#explained = this.#explain();
    const lease = claim(this.#key, this.#attempts?.tried, this.#keyIsOwn);
    if (lease === undefined) {
      if (this.#attempts === undefined) this.#refuse(503, 'No replica is ready: ask again, or /add some');
      else this.#refuse(this.#attempts.status, 'No replica answered this request');
      return false;
    }
    const full = this.#takePlace(lease);
    if (full !== undefined) {
      this.#refuse(503, `${full} has too many requests in flight: ask again`);
      return false;
    }
    const before = this.#attempts?.lastTried;
    if (before !== undefined) this.#context.tally.of(before).retried();
    const place = this.#place as Place<Pool>;
    if (place.flight.answersNobody) {
      this.#failed('unanswered');
      return false;
    }
    this.#connect(place);
    return true;
  }

  /** What a claim comes to that is made now, with no await between. */
  #explain(): Explanation | undefined {
    return this.#context.explain?.(this.#key, this.#attempts?.tried);
  }

  /** Takes a place at the lease's replica. Where there is none the lease is released; gives who is full. */
  #takePlace(lease: Lease): string | undefined {
    const { pools, config } = this.#context;
    let pool = pools.of(lease.address);
    // Once those that gave way are gone it may be forgotten.
    if (pool.inFlight >= config.replicaInFlightMax && this.#context.makeRoom(pool))
      pool = pools.of(lease.address);
    const full = pool.inFlight >= config.replicaInFlightMax;
    if (full || !pools.hasRoom(pool)) {
      lease.release();
      pools.forgetIfEmpty(pool);
      return full ? `Replica ${lease.replica}` : 'Ringmaster';
    }
    this.#place = new Place(lease, pool);
    this.#client.watch(lease);
    return undefined;
  }

  /** Puts a request that got a failing reply to the next replica, where that would tell; see isComparable. False where it can't be. */
  #asksAnother(verdict: Verdict): boolean {
    const { claim, budget, deadlines } = this.#context;
    const [place, upstream, asked] = [this.#place, this.#upstream, this.#asked];
    if (place === undefined || !this.requestDone || this.#interim > 0 || !isComparable(asked)) return false;
    this.#attempts ??= new Attempts();
    this.#attempts.failed(place.lease.replica, 'failing');
    if (!this.#attempts.allow(asked)) return false;
    const explained = this.#explains ? this.#explain() : undefined;
    const lease = claim(this.#key, this.#attempts.tried);
    // The place here is kept until there is one there, since this reply may be the best to be had.
    if (lease === undefined || this.#takePlace(lease) !== undefined) return false;
    const next = this.#place as Place<Pool>;
    if (next.flight.answersNobody || !this.#attempts.mayGoOn(asked, budget, deadlines.nowMs)) {
      next.release();
      this.#place = place;
      this.#client.watch(place.lease);
      return false;
    }
    upstream?.leave('cut');
    place.release();
    this.#context.tally.of(place.lease.replica).retried();
    this.#attempts.compare(place.lease, verdict);
    this.#explained = explained;
    this.#stale = false;
    this.#connect(next);
    if (this.#reused) this.connected();
    return true;
  }

  /** Whether this request was put to another replica, since the one of that pool is silent. */
  isDoubting(pool: Pool): boolean {
    return this.#opinion !== undefined && this.#place?.flight === pool;
  }

  /** Puts this request to another replica as well, to see whether the one of that pool is silent for a reason. False where it can't be. */
  doubt(pool: Pool): boolean {
    const { claim, pools, config, budget, deadlines } = this.#context;
    const place = this.#place;
    const waits = this.#phase === 'head' && place?.flight === pool && this.#body === undefined;
    if (!waits || this.#replyBegan || !isComparable(this.#asked)) return false;
    const lease = claim(this.#key, new Set([...(this.#attempts?.tried ?? []), place.lease.replica]));
    if (lease === undefined) return false;
    const other = pools.of(lease.address);
    const room = other.inFlight < config.replicaInFlightMax && !other.answersNobody && pools.hasRoom(other);
    if (!room || !budget.withdraw(deadlines.nowMs)) {
      lease.release();
      pools.forgetIfEmpty(other);
      return false;
    }
    const [requestId, bytes, start] = [this.#requestId, this.#headBytes, this.#headStart];
    const waiting = { method: this.method, sender: this.#client.sender, requestId, bytes, start };
    this.#opinion = new SecondOpinion(this.#context, waiting, new Place(lease, other), () => {
      if (this.#place === place) place.lease.failing();
    });
    return true;
  }

  /** The replica's own word is there, or is not waited for any more. */
  #settle(): void {
    this.#opinion?.end();
    this.#opinion = undefined;
  }

  get #asked(): Asked {
    return { method: this.method, bodyWhole: this.#bodyWhole, retries: this.#context.config.retries };
  }

  /** The reply is whole, or can't be seen to be. */
  #answered(): void {
    if (this.#answers) this.#place?.lease.answered();
    this.#answers = false;
  }

  #connect(place: Place<Pool>): void {
    const safe = isIdempotent(this.method);
    const idleMsMax = this.#stale ? -1 : safe ? Number.POSITIVE_INFINITY : FRESH_IDLE_MS_MAX;
    this.#replyBegan = false;
    this.#headPart = undefined;
    this.#phase = 'connecting';
    this.#upstream = place.flight.take(this, idleMsMax);
    // Its own deadline is the connection's, until there is one.
    this.#client.deadlineMs = Number.POSITIVE_INFINITY;
    this.#reused = this.#upstream.connected;
    if (this.#reused) this.#phase = 'head';
  }

  /** Head and what there is of the body in one piece; the head was just read. */
  #sendFirst(bytes: Buffer, at: number, end: number, known: KnownRequest | undefined): number {
    const { scratch, requestHead, knownRequests, deadlines } = this.#context;
    scratch.reset();
    if (known !== undefined && this.#madeId !== undefined) {
      known.write(scratch, requestHead, this.#madeId);
    } else {
      this.#writeHead();
      if (this.#madeId !== undefined)
        knownRequests?.note(requestHead, this.#client.sender, scratch, deadlines.nowMs);
    }
    this.#expectReply();
    return this.#passBody(bytes, at, end);
  }

  #writeHead(): void {
    const { requestHead, scratch } = this.#context;
    const { address } = (this.#place as Place).lease;
    writeRequestHead(scratch, requestHead, this.#client.sender, this.#requestId, address);
  }

  /** Sends what scratch holds, and behind it what of the bytes belongs to the body. */
  #passBody(bytes: Buffer, at: number, end: number): number {
    const { scratch } = this.#context;
    const upstream = this.#upstream as Upstream;
    if (this.#body === undefined || this.#body.done || at >= end) {
      upstream.send(scratch.bytes, 0, scratch.length);
      return at;
    }
    this.#awaitsContinue = false;
    const past = this.#body.pass(bytes, at, end, scratch, upstream);
    this.progress();
    if (past < 0) this.#badBody();
    else if (this.#phase === 'rest' && this.requestDone) this.#close('end');
    return past < 0 ? end : past;
  }

  /** Where the body ends cannot be known: what was sent of it is broken off, and nothing that follows is a request. */
  #badBody(): void {
    if (this.#phase === 'rest') this.#close('cut');
    else if (this.#phase === 'body') this.#break('client');
    else this.#refuse(400, 'The body is not chunked as RFC 9112 says');
  }

  // ---- the reply

  #readReplies(bytes: Buffer): void {
    const { replyHead } = this.#context;
    let at = 0;
    for (;;) {
      const result = replyHead.read(bytes, at, bytes.length, this.method);
      if (result instanceof Flaw) return this.#badReply(result.message);
      if (!result) {
        if (at < bytes.length) this.#headPart = bytes.subarray(at);
        return;
      }
      const { status, end } = replyHead;
      if (status === SWITCHING_PROTOCOLS) return this.#switch(bytes, end);
      if (status >= 200) {
        this.#place?.replied(this.#context.deadlines.nowMs);
        const retryAfter = status === 503 && replyHead.fields.find('retry-after', ', ') !== undefined;
        const verdict = verdictOf(status, retryAfter);
        if (verdict !== 'answers' && this.#asksAnother(verdict)) return;
        this.#answers = verdict === 'answers';
        this.#status = status;
        this.#attempts?.answered(status);
        return this.#replyBegins(bytes, end);
      }
      if (++this.#interim > INTERIM_REPLIES_MAX) return this.#badReply('too many interim replies');
      this.#passInterim();
      at = end;
    }
  }

  /** RFC 9110, section 15.2: to a client of HTTP/1.0 they are not sent. */
  #passInterim(): void {
    const { scratch, replyHead } = this.#context;
    if (this.#minor === 0) return;
    if (replyHead.status === 100) this.#awaitsContinue = false;
    this.#expectReply();
    scratch.reset();
    writeReplyHead(scratch, replyHead, { ...this.#frame(false, 'none'), explained: undefined });
    this.#client.send(scratch.bytes, 0, scratch.length);
  }

  #frame(chunked: boolean, connection: 'close' | 'keep-alive' | 'none') {
    return {
      replica: this.#place?.lease.replica ?? '',
      requestId: this.#requestId,
      date: this.#context.dateField,
      chunked,
      connection,
      explained: this.#explained,
    };
  }

  /** Whether nothing but its id tells this request's reply from those to others. */
  get #isPlain(): boolean {
    return (
      this.#madeId !== undefined &&
      !this.#explains &&
      this.#headPart === undefined &&
      this.#minor > 0 &&
      this.#persistent &&
      this.requestDone &&
      this.#interim === 0 &&
      this.method !== 'HEAD' &&
      !this.#context.stopping &&
      !this.#client.ending
    );
  }

  #beginReply(head: KnownReply | ReplyHead, named: readonly string[]): ReplyBody {
    const { framing, length, persistent } = head;
    const decoder = framing === 'chunked' ? this.#decoder(named) : undefined;
    this.#phase = 'body';
    // HTTP/1.0 knows of no chunks: its clients get what they hold, and then the end of the connection.
    this.#reply = new ReplyBody(framing, length, decoder, this.#minor > 0);
    this.#replicaPersists = persistent;
    // A stream that ends with its connection may never end, nor can be seen to break.
    if (framing === 'close') this.#answered();
    return this.#reply;
  }

  #replyKnown(bytes: Buffer, known: KnownReply): void {
    const { scratch } = this.#context;
    this.#place?.replied(this.#context.deadlines.nowMs);
    // A failing reply is never noted.
    this.#answers = true;
    this.#status = known.status;
    this.#attempts?.answered(known.status);
    this.#beginReply(known, NONE);
    this.#clientPersists = true;
    scratch.reset();
    known.write(scratch, this.#madeId as MadeId);
    this.#passReply(bytes, known.head.length);
  }

  #replyBegins(bytes: Buffer, at: number): void {
    const { scratch, replyHead, stopping } = this.#context;
    const reply = this.#beginReply(replyHead, replyHead.fields.named);
    // A reply before the request's end leaves the connection between two messages: nobody waits for the rest.
    this.#clientPersists =
      this.#persistent &&
      this.requestDone &&
      !stopping &&
      !this.#client.ending &&
      (reply.measured || reply.chunked);
    const connection = !this.#clientPersists ? 'close' : this.#minor === 0 ? 'keep-alive' : 'none';
    scratch.reset();
    writeReplyHead(scratch, replyHead, this.#frame(reply.chunked, connection));
    if (this.#isPlain && this.#answers && this.#place !== undefined) {
      const { dateField, deadlines } = this.#context;
      const { flight, lease } = this.#place;
      flight.knownReply =
        knownReply(flight.knownReply, replyHead, lease.replica, scratch, dateField, deadlines.nowMs) ??
        flight.knownReply;
    }
    this.#passReply(bytes, at);
  }

  /** Sends what scratch holds, and behind it what of the bytes belongs to the reply. */
  #passReply(bytes: Buffer, at: number): void {
    const reply = this.#reply as ReplyBody;
    this.progress();
    const past = reply.pass(bytes, at, bytes.length, this.#context.scratch, this.#client);
    if (past < 0) this.#break();
    else if (reply.done) this.#replyEnds(past === bytes.length);
    else if (this.#client.blocked) this.#upstream?.hold();
  }

  /** The reply is whole. `clean`: not a byte came after it. */
  #replyEnds(clean: boolean): void {
    this.#answered();
    this.#countReply();
    // A client that waits for a 100 was just told not to send its body (RFC 9110, section 10.1.1).
    if (!this.requestDone && !this.#awaitsContinue && clean && this.#replicaPersists) {
      // The replica has not said that it wants no more, and may well need it.
      this.#phase = 'rest';
      this.progress();
      return;
    }
    this.#phase = 'over';
    this.#letGo(clean && this.#replicaPersists && this.requestDone ? 'keep' : 'end');
    this.#client.exchangeOver(this.#clientPersists && this.requestDone);
  }

  #switch(bytes: Buffer, at: number): void {
    const { scratch, replyHead } = this.#context;
    const { fields } = replyHead;
    const protocols = lowered(fields.protocols());
    const asked = protocols.length > 0 && protocols.every((one) => this.#upgrade.includes(one));
    if (!asked || !this.requestDone) return this.#badReply('a switch of protocols that was not asked for');
    const place = this.#place as Place<Pool>;
    const { lease } = place;
    place.replied(this.#context.deadlines.nowMs);
    lease.answered();
    this.#ends(SWITCHING_PROTOCOLS)?.counted(SWITCHING_PROTOCOLS);
    scratch.reset();
    writeReplyHead(scratch, replyHead, this.#frame(false, 'none'));
    this.#client.send(scratch.bytes, 0, scratch.length);
    this.#phase = 'over';
    // It may last for days: who is connected must not take the places of requests. The lease stays, for drain to wait for.
    this.#place = undefined;
    place.vacate();
    const tunnel = new Tunnel(
      this.#context,
      this.#client,
      this.#upstream as Upstream,
      protocols[0] ?? '',
      () => lease.release(),
    );
    this.#client.becomesTunnel(tunnel);
    if (at < bytes.length) tunnel.fromUpstream(bytes.subarray(at));
  }

  // ---- what can go wrong

  /** A replica's reply breaks the rules: the client must not see a byte of it, nor anybody else what follows. */
  #badReply(why: string): void {
    const lease = this.#place?.lease;
    this.#context.log.warn({ replica: lease?.replica, why }, 'bad reply from a replica');
    // Nothing of it has reached the client, but for interim replies.
    if (this.#interim === 0 && isIdempotent(this.method)) return this.#failed('broken');
    lease?.failed();
    this.#refuse(502, `Replica ${lease?.replica ?? ''} did not send a valid reply`);
  }

  #died(): void {
    if (this.#phase === 'rest') return this.#close('end');
    if (this.#phase === 'body') {
      this.#place?.lease.failed();
      return this.#break();
    }
    if (this.#phase === 'over') return;
    // What has sent a part of its reply has acted on the request.
    if (this.#replyBegan) return this.#badReply('it ended in the middle of a head');
    if (this.#place !== undefined && this.#mayResend()) {
      this.#stale = true;
      this.#resent = true;
      this.#upstream?.leave('cut');
      return this.#connect(this.#place);
    }
    this.#failed('broken');
  }

  #mayResend(): boolean {
    const { budget, deadlines } = this.#context;
    const safe = isIdempotent(this.method) && this.#bodyWhole;
    return this.#reused && !this.#resent && safe && budget.withdraw(deadlines.nowMs);
  }

  /** The replica is lost to the fleet while it owes the reply. */
  lost(): void {
    if (this.#phase !== 'head' && this.#phase !== 'connecting') return;
    // Only what may go elsewhere is called off: the rest has nowhere better to be.
    if (this.#replyBegan || !isIdempotent(this.method) || !this.#bodyWhole) return;
    this.#failed('lost');
  }

  /** The replica's time to drain is over. */
  cutOff(): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'rest') this.#close('cut');
    else if (this.#phase === 'body') this.#break();
    else this.#refuse(502, 'The replica had to leave before it answered');
  }

  /** This attempt brought no reply. The next replica is asked, where that can do no harm. */
  #failed(failure: Failure): void {
    const { budget, deadlines } = this.#context;
    const lease = this.#place?.lease;
    if (lease === undefined) return;
    // Let go of first: what is told to the fleet it tells to all who hold a lease.
    this.#letGo('cut');
    if (failure === 'refused') lease.unreachable();
    this.#attempts ??= new Attempts();
    // What was sent before on a kept connection has reached the replica, and is what may have ended it.
    this.#attempts.failed(lease.replica, this.#stale && isFree(failure) ? 'broken' : failure);
    this.#stale = false;
    // That it is lost the fleet itself has said.
    if (failure !== 'lost' && failure !== 'refused') {
      if (this.#attempts.allow(this.#asked)) this.#attempts.compare(lease, failure);
      else if (this.#attempts.tried.size === 1) lease.failed();
      else lease.suspect();
    }
    if (this.#attempts.mayGoOn(this.#asked, budget, deadlines.nowMs)) {
      if (this.#claim() && this.#reused) this.connected();
      return;
    }
    this.#refuse(this.#attempts.status, `Replica ${lease.replica} did not answer this request`);
  }

  /** Answers with an error of our own, where no byte of a reply was sent. */
  #refuse(status: number, message: string): void {
    this.#phase = 'over';
    this.#ends(status)?.answered(status, performance.now() - this.#headAtMs);
    this.#letGo('cut');
    const goesOn = this.#persistent && this.requestDone && status !== 400 && status !== 408;
    this.#client.refuse(status, message, this.method, goesOn, this.#explained);
  }

  /** Ends a reply that can't be completed, so that the client sees that it is not (RFC 9112, section 8). */
  #break(by: 'replica' | 'client' = 'replica'): void {
    this.#phase = 'over';
    if (by === 'replica') this.#ends(this.#status)?.brokeOff(this.#status);
    else this.#ends(CLIENT_GONE)?.counted(CLIENT_GONE);
    this.#letGo('cut');
    this.#client.cut();
  }

  /** Ends the exchange, and the client's connection after what was sent. */
  #close(way: Parting): void {
    this.#phase = 'over';
    this.#letGo(way);
    this.#client.exchangeOver(false);
  }

  /**
   * The request is over, as its client sees it: where to count it. Undefined where it was over before, for a reply may be
   * whole before its request is.
   */
  #ends(status: number): ReplicaTally | undefined {
    if (this.#isOver) return undefined;
    // Its place may be given back already: then it was whose attempt failed last.
    const replica = this.#place?.lease.replica ?? this.#attempts?.lastTried ?? NOBODY;
    this.#isOver = true;
    if (this.#isLogged) this.#log(status, replica);
    return this.#context.tally.of(replica);
  }

  #log(status: number, replica: string): void {
    // The head was found good: behind the method and a space is the target, up to the next.
    const start = this.#headStart + this.method.length + 1;
    this.#context.accessLog?.write({
      plane: 'traffic',
      requestId: this.#requestId.text,
      method: this.method,
      path: latin1(this.#headBytes, start, this.#headBytes.indexOf(SPACE, start)),
      replica: replica === NOBODY ? undefined : replica,
      status,
      tookMs: performance.now() - this.#headAtMs,
      peer: this.#client.sender.address,
    });
  }

  /** The client has, or is being sent, the whole of the reply. */
  #countReply(): void {
    const tally = this.#ends(this.#status);
    if (tally === undefined) return;
    tally.answered(this.#status, performance.now() - this.#headAtMs);
    // One that fails itself, and has no other to fail over to, is among those that were tried.
    const { tried } = this.#attempts ?? NONE_TRIED;
    if (tried.size > (tried.has(this.#place?.lease.replica ?? NOBODY) ? 1 : 0)) tally.failedOver();
  }

  /** Lets the connection and the replica go. */
  #letGo(way: Parting): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    const place = this.#place;
    this.#place = undefined;
    if (this.#opinion !== undefined) this.#settle();
    upstream?.leave(way);
    place?.release();
  }

  /** The reply's head is due from now on, or, while the client owes its body, that. */
  #expectReply(): void {
    const { deadlines, config } = this.#context;
    const limitMs =
      this.requestDone || this.#awaitsContinue ? config.replyHeaderTimeoutMs : config.bodyStallTimeoutMs;
    if (this.#phase !== 'head') return;
    this.#client.deadlineMs = deadlines.nowMs + limitMs;
    // A body that is still to come would be the client's silence.
    if (this.requestDone) this.#place?.asked(deadlines.nowMs);
  }

  /** Something moved: nobody stalls. */
  progress(): void {
    const { deadlines, config } = this.#context;
    if (this.#phase === 'body') this.#client.deadlineMs = deadlines.nowMs + config.bodyStallTimeoutMs;
    else if (this.#phase === 'rest')
      this.#client.deadlineMs = deadlines.nowMs + Math.min(config.bodyStallTimeoutMs, REST_STALL_MS);
    else if (this.#phase === 'head') this.#expectReply();
  }
}

function lowered(protocols: readonly string[]): readonly string[] {
  return protocols.map((protocol) => protocol.toLowerCase());
}
