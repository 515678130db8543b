import type { Balance, Config } from '../../config.ts';
import type { ChoiceReport } from '../../fleet/chooser.ts';
import type { News } from '../../fleet/leases.ts';
import type { ClientCounts } from '../clients.ts';
import type { LoopDelayReport } from '../loop-delay.ts';
import type { TallyReport } from '../tally.ts';
import type { RelayConfig } from '../relay/context.ts';
import type { RingCopy } from './ring-copy.ts';

/** How a request failed at its replica; see Lease. */
export type Failure = 'unreachable' | 'suspect' | 'failing';

/** What a worker is told. */
export type Order =
  | {
      readonly type: 'open';
      readonly worker: number;
      readonly host: string;
      readonly port: number;
      readonly config: RelayConfig;
      readonly balance: Balance;
      readonly logLevel: Config['logLevel'];
      readonly ring: RingCopy;
    }
  | { readonly type: 'ring'; readonly ring: RingCopy }
  /** Say which version of the ring is in force. */
  | { readonly type: 'ask' }
  | { readonly type: 'news'; readonly stay: string; readonly news: News }
  /** Accept no more. */
  | { readonly type: 'stop' }
  /** Cut what is left, and end. */
  | { readonly type: 'close' };

/** What a worker tells of the stays that it has leases of. */
export type StayReport =
  /** Claims are made by this version of the ring, or a later one. */
  | { readonly type: 'shows'; readonly version: number }
  | { readonly type: 'failed'; readonly stay: string; readonly failure: Failure }
  /** The stay is over, and so are all requests that it had. */
  | { readonly type: 'released'; readonly stay: string }
  /** Requests in flight, for each stay where their number has changed. */
  | { readonly type: 'inFlight'; readonly requests: readonly (readonly [stay: string, requests: number])[] };

/** What a worker has counted since it last said so. */
export interface CountsReport {
  readonly type: 'counts';
  readonly tally: readonly TallyReport[];
  readonly clients: ClientCounts;
  readonly loop: LoopDelayReport;
  readonly choices: ChoiceReport;
}

export type Report =
  | StayReport
  | CountsReport
  /** It runs, and waits for its `open`. */
  | { readonly type: 'hello' }
  | { readonly type: 'listening' }
  | { readonly type: 'refused'; readonly code: string | undefined; readonly message: string }
  | { readonly type: 'connections'; readonly connections: number };
