import { NO_CLIENTS } from '../../../src/traffic/clients.ts';
import type { Lease } from '../../../src/fleet/member.ts';
import type { OpenRelay } from '../../../src/traffic/workers/serve.ts';

/** What a client may ask of a claiming relay, one line of JSON each. */
export type Ask =
  | { readonly ask: 'claim'; readonly key: string; readonly except?: readonly string[] }
  | { readonly ask: 'release' | 'unreachable' | 'failed'; readonly lease: number }
  /** Does what a bug would. */
  | { readonly ask: 'throw' };

/** What it tells: who it is, at first; then a reply for each claim, and news of each lease when there are some. */
export type Told =
  | {
      readonly told: 'self';
      readonly pid: number;
      readonly environment: readonly string[];
      readonly config: object;
    }
  | { readonly told: 'claimed'; readonly lease: number; readonly replica: string | null }
  | { readonly told: 'onLost' | 'onLeaving' | 'onCut'; readonly lease: number };

/** What one connection has. */
interface Held {
  readonly leases: Map<number, Lease>;
  unread: string;
}

/**
 * In place of a relay: it claims and releases as its clients ask, so that what each worker believes can be asked, and
 * held still. A client that goes releases what it has.
 */
export const openClaimingRelay: OpenRelay = ({ host, port, shared, claim, config }) => {
  let connections = 0;
  let claimed = 0;
  const handlers: Bun.SocketHandler<Held> = {
    open(socket) {
      connections++;
      socket.data = { leases: new Map(), unread: '' };
      tell(socket, { told: 'self', pid: process.pid, environment: Object.keys(process.env), config });
    },
    data(socket, chunk) {
      const { data } = socket;
      const lines = (data.unread + chunk.toString()).split('\n');
      data.unread = lines.pop() ?? '';
      for (const line of lines) answer(socket, data.leases, JSON.parse(line) as Ask);
    },
    close(socket) {
      connections--;
      for (const lease of socket.data.leases.values()) lease.release();
    },
  };
  // Bun knows `reusePort`, though its types do not.
  const where = { hostname: host, port, reusePort: shared };
  const listener = Bun.listen({ ...where, socket: handlers });

  function answer(socket: Bun.Socket<unknown>, held: Map<number, Lease>, ask: Ask): void {
    switch (ask.ask) {
      case 'claim': {
        const lease = claim(ask.key, ask.except && new Set(ask.except));
        const id = ++claimed;
        if (lease !== undefined) {
          held.set(id, lease);
          for (const news of ['onLost', 'onLeaving', 'onCut'] as const)
            lease[news] = () => tell(socket, { told: news, lease: id });
        }
        return tell(socket, { told: 'claimed', lease: id, replica: lease?.replica ?? null });
      }
      case 'throw':
        queueMicrotask(() => {
          throw new Error('asked for');
        });
        return;
      default:
        return held.get(ask.lease)?.[ask.ask]();
    }
  }

  return {
    port: listener.port,
    get connections() {
      return connections;
    },
    clients: () => ({ ...NO_CLIENTS, active: connections }),
    stop: () => listener.stop(false),
    close: () => listener.stop(true),
  };
};

function tell(socket: Bun.Socket<unknown>, told: Told): void {
  socket.write(`${JSON.stringify(told)}\n`);
}
