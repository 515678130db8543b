/**
 * Who all replicas of a test are connected to: it hears of every request that arrives at one of them, also at one that
 * is killed a moment later, and tells them how to behave (see replica/server.ts).
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** `dies` at once, and so at every start; the others hold until the next. */
export type Behaviour = 'well' | 'hangs' | 'fails' | `slow ${number}` | 'dies' | 'eats memory';

export class Director {
  /** How often each POST arrived anywhere, by its target. */
  readonly posts = new Map<string, number>();
  /** Targets of what arrived at each replica. */
  readonly #arrived = new Map<string, string[]>();
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #replicas = new Map<string, Set<Socket>>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => this.#meet(socket));
  }

  static async open(): Promise<Director> {
    const director = new Director();
    await new Promise<void>((resolve) => director.#server.listen(0, '0.0.0.0', resolve));
    return director;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How it behaves from here on, also when it is started again; memory is eaten once. */
  tell(replica: string, behaviour: Behaviour): void {
    if (behaviour !== 'eats memory') this.#behaviours.set(replica, behaviour);
    for (const socket of this.#replicas.get(replica) ?? []) socket.write(`${behaviour}\n`);
  }

  /** Targets of what arrived at a replica since this was asked last. */
  arrivedAt(replica: string): string[] {
    const arrived = this.#arrived.get(replica) ?? [];
    this.#arrived.delete(replica);
    return arrived;
  }

  close(): void {
    for (const sockets of this.#replicas.values()) for (const socket of sockets) socket.destroy();
    this.#server.close();
  }

  #meet(socket: Socket): void {
    let replica = '';
    let rest = '';
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => this.#replicas.get(replica)?.delete(socket));
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [verb = '', what = ''] = line.split(' ');
        if (verb !== 'hello') {
          this.#note(replica, verb, what);
          continue;
        }
        replica = what;
        const sockets = this.#replicas.get(replica) ?? new Set();
        this.#replicas.set(replica, sockets.add(socket));
        socket.write(`${this.#behaviours.get(replica) ?? 'well'}\n`);
      }
    });
  }

  #note(replica: string, method: string, target: string): void {
    const arrived = this.#arrived.get(replica) ?? [];
    this.#arrived.set(replica, arrived);
    arrived.push(target);
    if (method === 'POST') this.posts.set(target, (this.posts.get(target) ?? 0) + 1);
  }
}
