import { Ring } from '../../src/ring/ring.ts';
import { eventually } from '../spawned.ts';
import { Connection, type Answer } from './connection.ts';
import { greeting, PORT, TRAFFIC_PORT, type Ringmaster } from './ringmaster.ts';

/** Of each port of each Ringmaster. */
const CLIENTS = 2;
/** What each client takes for itself after an answer, in ms: the machine has three hosts to play besides. */
const PAUSE_MS = 20;
/** Ids that are asked for, over and over. */
const IDS = 5000;
/** Of a run that goes wrong so many tell enough. */
const TOLD_MAX = 10;

/** GETs all the time, through several Ringmasters on both ports, each of which has to be answered. */
export class Load {
  requests = 0;
  failures = 0;
  /** Answers of another than the owner, while the owner was not away. */
  strangers = 0;
  /** Of both. */
  readonly told: string[] = [];
  readonly served = new Map<string, number>();
  #owners: Ring | undefined;
  #away: ReadonlySet<string> = new Set();
  /** Counts what is expected anew: an answer from in between is judged by neither. */
  #expected = 0;
  readonly #asking: Promise<void>[];
  #over = false;
  #nextId = 0;

  constructor(ringmasters: readonly Ringmaster[]) {
    this.#asking = ringmasters.flatMap(({ host }) =>
      [PORT, TRAFFIC_PORT].flatMap((port) => Array.from({ length: CLIENTS }, () => this.#ask(host, port))),
    );
  }

  /** From here on each id is to be answered by its owner among `names`, those of the owners in `away` by anybody. */
  expect(names: readonly string[], away: readonly string[] = []): void {
    this.#expected++;
    this.#owners = Ring.of(names);
    this.#away = new Set(away);
  }

  /** From here on anybody may answer. */
  expectAnybody(): void {
    this.#expected++;
    this.#owners = undefined;
  }

  /** Resolves when so many more were answered. */
  async more(requests: number): Promise<void> {
    const enough = this.requests + requests;
    await eventually(() => this.requests >= enough || this.failures > TOLD_MAX);
  }

  /** Lets each client have its last answer. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#asking);
  }

  /** For people. */
  get figures(): string {
    return `${this.requests} requests, ${this.failures} failed, ${this.strangers} by another than the owner`;
  }

  async #ask(host: string, port: number): Promise<void> {
    let connection: Connection | undefined;
    while (!this.#over) {
      const id = this.#nextId++ % IDS;
      const expected = this.#expected;
      const where = `${host}:${port} id ${id}`;
      try {
        // Closed with the last answer, as a server may.
        if (connection?.open !== true) connection = await Connection.connect(host, port);
        this.#judge(where, id, expected, await connection.get(`/home?id=${id}`));
      } catch (error) {
        this.requests++;
        this.failures++;
        this.#tell(`${where}: ${(error as Error).message}`);
        connection?.end();
        connection = undefined;
      }
      await Bun.sleep(PAUSE_MS);
    }
    connection?.end();
  }

  #judge(where: string, id: number, expected: number, { status, server, body }: Answer): void {
    this.requests++;
    this.served.set(server, (this.served.get(server) ?? 0) + 1);
    if (status !== 200 || body !== greeting(server)) {
      this.failures++;
      this.#tell(`${where}: ${status} by "${server}": ${body}`);
      return;
    }
    const owner = expected === this.#expected ? this.#owners?.owner(String(id)) : undefined;
    if (owner === undefined || owner === server || this.#away.has(owner)) return;
    this.strangers++;
    this.#tell(`${where}: by ${server} instead of ${owner}`);
  }

  #tell(what: string): void {
    if (this.told.length < TOLD_MAX) this.told.push(`${new Date().toISOString().slice(11)} ${what}`);
  }
}
