import type { Config, TrafficLimits } from '../../config.ts';
import type { Claim } from '../../fleet/member.ts';
import type { Log } from '../../log.ts';
import type { Explain } from '../explained.ts';
import { latin1 } from '../http1/bytes.ts';
import { ReplyHead } from '../http1/reply-head.ts';
import { RequestHead } from '../http1/request-head.ts';
import { keyOf, queryValue, queryValueAt, queryValueEnd, type Keyed } from '../key.ts';
import type { Tally } from '../tally.ts';
import { accessLogOf, type AccessLog } from '../access-log.ts';
import { Trust } from '../trust.ts';
import { RetryBudget } from '../budget.ts';
import { Deadlines } from './deadlines.ts';
import { KnownRequests } from './known-heads.ts';
import type { ClientConnection } from './client.ts';
import { Pools, type Dial, type Pool } from './pool.ts';
import { Sender } from './request-fields.ts';
import { RequestIds } from './request-id.ts';
import { ascii, Scratch } from './scratch.ts';

export type RelayConfig = Pick<
  Config,
  'accessLog' | 'hashKey' | 'retries' | 'runtime' | 'trustedProxies' | keyof TrafficLimits
>;

export interface ContextOptions {
  readonly claim: Claim;
  /** Undefined: no request is told why it goes where it goes. */
  readonly explain?: Explain | undefined;
  readonly config: RelayConfig;
  readonly log: Log;
  readonly tally: Tally;
  readonly dial: Dial;
  /** Connections to replicas that there are descriptors for. */
  readonly upstreamsMax: number;
}

/** Slow requests that are ended at once, where a replica is full. */
const GIVING_WAY_MAX = 64;

/** A head as keys are taken from it. */
class KeyedHead implements Keyed {
  sender = new Sender('', false);

  constructor(
    public head: RequestHead,
    readonly trust: Trust,
  ) {}

  get target(): string {
    const { fields, targetStart, targetEnd } = this.head;
    return latin1(fields.bytes, targetStart, targetEnd);
  }

  get origin(): string {
    return this.trust.originOf(this.sender.address, this.header('x-forwarded-for'));
  }

  query(name: string, raw: boolean): string | undefined {
    const { fields, targetStart, targetEnd } = this.head;
    const at = queryValueAt(fields.bytes, targetStart, targetEnd, name);
    if (at === undefined) return queryValue(this.target, name, raw);
    return at < 0 ? undefined : latin1(fields.bytes, at, queryValueEnd(fields.bytes, at, targetEnd));
  }

  header(lower: string): string | undefined {
    return this.head.fields.find(lower, lower === 'cookie' ? '; ' : ', ');
  }
}

/** What the connections of one relay share. Heads and scratch are used again with every message, and by nobody across an event. */
export class RelayContext {
  readonly claim: ContextOptions['claim'];
  readonly explain: Explain | undefined;
  readonly config: RelayConfig;
  readonly log: Log;
  readonly tally: Tally;
  /** Undefined where no request gets a line of the log. */
  readonly accessLog: AccessLog | undefined;
  readonly requestHead: RequestHead;
  readonly replyHead: ReplyHead;
  readonly scratch = new Scratch();
  readonly ids = new RequestIds();
  /** Undefined where keys are taken from fields, which must then be read each time. */
  readonly knownRequests: KnownRequests | undefined;
  readonly deadlines = new Deadlines();
  readonly budget: RetryBudget;
  readonly trust: Trust;
  readonly pools: Pools;
  readonly clients = new Set<ClientConnection>();
  /** Whether connections end after the reply that is under way. */
  stopping = false;
  readonly #keyed: KeyedHead;
  #lastSender = new Sender('', false);
  #dateMs = 0;
  #date = '';
  #dateField: Uint8Array = new Uint8Array();

  constructor({ claim, explain, config, log, tally, dial, upstreamsMax }: ContextOptions) {
    this.claim = claim;
    this.explain = explain;
    this.config = config;
    this.log = log;
    this.tally = tally;
    this.accessLog = accessLogOf(config.accessLog, log);
    this.requestHead = new RequestHead(config);
    this.replyHead = new ReplyHead(config);
    this.budget = new RetryBudget(this.deadlines.nowMs);
    this.trust = new Trust(config.trustedProxies);
    const keyInFields = config.hashKey.some(({ from }) => from === 'header' || from === 'cookie');
    this.knownRequests = keyInFields ? undefined : new KnownRequests();
    this.#keyed = new KeyedHead(this.requestHead, this.trust);
    this.pools = new Pools(dial, this.deadlines, { ...config, upstreamsMax }, (pool) => this.#doubt(pool));
  }

  /** Ends some of the requests there that hardly come in. To be called where there is no place for another; false where there are none. */
  makeRoom(pool: Pool): boolean {
    const { nowMs } = this.deadlines;
    // Each of thousands that are refused would look through all clients.
    if (pool.searchedMs === nowMs) return false;
    pool.searchedMs = nowMs;
    let ended = 0;
    for (const { exchange } of this.clients) {
      if (exchange?.givesWay(pool) === true) ended++;
      if (ended === GIVING_WAY_MAX) break;
    }
    return ended > 0;
  }

  /** Has one request that waits there put to another replica, unless one is already. */
  #doubt(pool: Pool): void {
    for (const { exchange } of this.clients) if (exchange?.isDoubting(pool) === true) return;
    for (const { exchange } of this.clients) if (exchange?.doubt(pool) === true) return;
  }

  /** Most connections come from the same few addresses. */
  senderOf(address: string): Sender {
    if (this.#lastSender.address !== address) this.#lastSender = new Sender(address, this.trust.has(address));
    return this.#lastSender;
  }

  /** The request's key by configuration; undefined where it has none. */
  keyOf(head: RequestHead, sender: Sender): string | undefined {
    this.#keyed.head = head;
    this.#keyed.sender = sender;
    return keyOf(this.#keyed, this.config.hashKey);
  }

  /** The time as HTTP has it, to the second. */
  get date(): string {
    this.#tellTime();
    return this.#date;
  }

  #tellTime(): void {
    const nowMs = this.deadlines.nowMs;
    if (this.#date === '' || nowMs - this.#dateMs >= 500) {
      this.#dateMs = nowMs;
      this.#date = new Date().toUTCString();
      this.#dateField = ascii(`Date: ${this.#date}\r\n`);
    }
  }

  /** The same as a line of a head. */
  get dateField(): Uint8Array {
    this.#tellTime();
    return this.#dateField;
  }
}
