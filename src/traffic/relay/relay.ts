import type { Claim } from '../../fleet/member.ts';
import type { Log } from '../../log.ts';
import type { Address } from '../../runtime/runtime.ts';
import { NO_CLIENTS, type ClientCounts } from '../clients.ts';
import type { Explain } from '../explained.ts';
import { plainAddress } from '../peer.ts';
import { NOBODY, type Tally } from '../tally.ts';
import { ClientConnection } from './client.ts';
import { RelayContext, type RelayConfig } from './context.ts';
import { descriptorLimit, descriptorShares } from './descriptors.ts';
import { refusal } from './refusal.ts';
import type { Upstream } from './upstream.ts';

/** Each read is memory of its own. Of large ones so much may be left over before it is collected, which the collector by itself would put off. */
const GARBAGE_BYTES_MAX = 32 * 1024 * 1024;
const LARGE_BYTES = 64 * 1024;

export interface RelayOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Whether other processes may listen on the same port, each for a part of its connections. */
  readonly shared: boolean;
  readonly claim: Claim;
  /** What that comes to, for requests that ask; undefined: none is told. */
  readonly explain?: Explain | undefined;
  readonly config: RelayConfig;
  readonly log: Log;
  /** Where requests are counted. */
  readonly tally: Tally;
}

export interface Relay {
  readonly port: number;
  /** Clients that are connected. */
  readonly connections: number;
  /** The same by what they are there for; looks at each. */
  clients(): ClientCounts;
  /** Accepts no more: idle connections are closed, the others after the reply that is under way. */
  stop(): void;
  /** Cuts what is left. */
  close(): void;
}

/** Opens the traffic plane on one port. Throws what the listener throws, such as an error with code EADDRINUSE. */
export function openRelay({ host, port, shared, claim, explain, config, log, tally }: RelayOptions): Relay {
  // A bug in one exchange must not end those of all others, nor go on with a connection of which nobody knows the state.
  const bug = (socket: { terminate(): void }, error: unknown): void => {
    log.error({ err: error }, 'a bug in the relay: the connection is cut');
    socket.terminate();
  };
  const guard = (socket: { terminate(): void }, act: () => void): void => {
    try {
      act();
    } catch (error) {
      bug(socket, error);
    }
  };

  let large = 0;
  const dispose = (bytes: number): void => {
    large += bytes;
    if (large < GARBAGE_BYTES_MAX) return;
    large = 0;
    Bun.gc(false);
  };

  const upstreamHandlers: Bun.SocketHandler<Upstream> = {
    binaryType: 'buffer',
    open: (socket) => guard(socket, () => socket.data.onOpen(socket)),
    // Without the function that the others cost: it comes with each reply.
    data(socket, bytes) {
      try {
        if (bytes.length >= LARGE_BYTES) dispose(bytes.length);
        socket.data.onData(bytes);
      } catch (error) {
        bug(socket, error);
      }
    },
    drain: (socket) => guard(socket, () => socket.data.onDrain()),
    end: (socket) => guard(socket, () => socket.data.onEnd()),
    close: (socket) => guard(socket, () => socket.data.onClose()),
    // What it was is told by `close`.
    error: () => {},
    connectError: (socket) => guard(socket, () => socket.data.onConnectError()),
  };

  const dial = (address: Address, upstream: Upstream): void => {
    Bun.connect({
      hostname: address.host,
      port: address.port,
      allowHalfOpen: true,
      socket: upstreamHandlers,
      data: upstream,
    }).catch(() => guard({ terminate: () => upstream.cut() }, () => upstream.onConnectError()));
  };

  const descriptors = descriptorLimit();
  const { clientsMax, upstreamsMax } = descriptorShares(descriptors, config.connectionsMax);
  const context = new RelayContext({ claim, explain, config, log, tally, dial, upstreamsMax });
  const { clients } = context;

  // bun-types does not know of reusePort for a listener.
  const where = { hostname: host, port, allowHalfOpen: true, reusePort: shared };
  const listener = Bun.listen<ClientConnection | undefined>({
    ...where,
    socket: {
      binaryType: 'buffer',
      open(socket) {
        if (clients.size >= clientsMax || context.stopping) {
          tally.of(NOBODY).counted(503);
          const reply = refusal(503, 'Too many connections: ask again', {
            head: false,
            close: true,
            date: context.date,
          });
          socket.write(reply, 0, reply.length);
          socket.end();
          return;
        }
        const client = new ClientConnection(context, socket, plainAddress(socket.remoteAddress));
        socket.data = client;
        clients.add(client);
      },
      data(socket, bytes) {
        try {
          if (bytes.length >= LARGE_BYTES) dispose(bytes.length);
          socket.data?.onData(bytes);
        } catch (error) {
          bug(socket, error);
        }
      },
      drain: (socket) => guard(socket, () => socket.data?.onDrain()),
      end: (socket) => guard(socket, () => socket.data?.onEnd()),
      close: (socket) => {
        const client = socket.data;
        if (client === undefined) return;
        clients.delete(client);
        guard(socket, () => client.onClose());
      },
      error: () => {},
    },
  });

  if (clientsMax < config.connectionsMax)
    log.info(
      { descriptors, clientsMax },
      `CONNECTIONS_MAX is ${config.connectionsMax}, but there are descriptors for ${clientsMax} clients only: raise the limit of open files (ulimit -n)`,
    );

  return {
    port: listener.port,
    get connections() {
      return clients.size;
    },
    clients() {
      const counts = { ...NO_CLIENTS };
      for (const { use } of clients) counts[use]++;
      return counts;
    },
    stop() {
      context.stopping = true;
      listener.stop(false);
      for (const client of clients) client.stop();
    },
    close() {
      context.stopping = true;
      listener.stop(false);
      for (const client of clients) client.stopNow();
      context.pools.closeAll();
      context.deadlines.close();
    },
  };
}
