/** Steady load on both ports of a Ringmaster, GETs and POSTs, each client with the keys of one replica. */
import { expect } from 'bun:test';
import { Ring } from '../../src/ring/ring.ts';
import { quantileOf } from '../bench/statistics.ts';
import { eventually, type Spawned } from '../spawned.ts';
import type { Director } from './director.ts';
import { SteadyLoad, type Answered } from './steady-load.ts';

/** Clients of each replica on each port: one that is slow must not take the time of those who ask another. */
const CLIENTS = 2;
/** What each client takes for itself after a reply, so that there is something left of the machine. */
const PAUSE_MS = 10;
const POST_EVERY = 5;
const IDS = 3000;
/** So many replies in a row, each from the key's owner, and each client is taken for settled. */
const SETTLED = 20;
const PORTS = ['5000', '8080'] as const;

export interface Posted {
  readonly target: string;
  readonly status: number;
}

/** What came of the requests for the keys of one replica, in one phase. */
interface Lane {
  readonly owner: string;
  readonly tookMs: number[];
  /** Of another than the owner. */
  strangers: number;
}

export interface BothPortsOptions {
  /** Names that may answer, besides those that the keys are told apart by. */
  readonly others?: readonly string[];
  /** Whether connections may break; see SteadyLoad. No POST is sent again even so. */
  readonly sendsAgain?: () => boolean;
  /** Statuses that a GET may have, too; see SteadyLoad. */
  readonly mayGet?: ReadonlySet<number>;
}

export class BothPorts {
  readonly posted: Posted[] = [];
  readonly #loads: readonly SteadyLoad[];
  readonly #names: readonly string[];
  readonly #phases = new Map<string, Lane[]>();
  readonly #streaks: number[][] = [];
  #phase = '';

  constructor(
    ringmaster: Spawned,
    names: readonly string[],
    { others = [], ...options }: BothPortsOptions = {},
  ) {
    this.#names = names;
    const ring = Ring.of(names);
    const idsOf = new Map<string, number[]>(names.map((name) => [name, []]));
    for (let id = 0; id < IDS; id++) idsOf.get(ring.owner(String(id)) as string)?.push(id);
    const current = new Set([...names, ...others]);
    this.#loads = [ringmaster.url, ringmaster.traffic].map((url, port) => {
      const streaks = (this.#streaks[port] = Array.from({ length: CLIENTS * names.length }, () => 0));
      return new SteadyLoad({
        port: Number(new URL(url).port),
        clients: streaks.length,
        current: () => current,
        pauseMs: PAUSE_MS,
        ids: (client) => idsOf.get(this.#ownerOf(client)) as number[],
        postEvery: POST_EVERY,
        onReply: (answered) => this.#take(port, answered),
        ...options,
      });
    });
  }

  get failures(): string[] {
    return this.#loads.flatMap((load, port) => load.told.map((what) => `port ${PORTS[port]}: ${what}`));
  }

  /** From here on figures are of this phase. */
  begin(phase: string): void {
    this.#phase = phase;
    this.#phases.set(
      phase,
      PORTS.flatMap(() => this.#names.map((owner) => ({ owner, tookMs: [], strangers: 0 }))),
    );
  }

  /** Resolves when every client on both ports is answered by the owner of its keys again and again. */
  async settled(replies = SETTLED): Promise<void> {
    for (const streaks of this.#streaks) streaks.fill(0);
    await eventually(() => this.#streaks.flat().every((streak) => streak >= replies));
  }

  /** Resolves when so many more requests were answered on each port. */
  async more(requests: number): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.more(requests)));
  }

  /** Ends it, and checks what must hold whatever happened: no GET failed, no POST that a director was told of came twice or was lost. */
  async end(director: Director | undefined): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.end()));
    expect(this.failures).toEqual([]);
    for (const load of this.#loads) expect(load.failures).toBe(0);
    if (director === undefined) return;
    const answered = this.posted.filter(({ status }) => status === 200).map(({ target }) => target);
    // The replica may have told of the last one a moment before it answered, and be heard a moment later.
    await eventually(() => answered.every((target) => director.posts.has(target)));
    expect([...director.posts].filter(([, times]) => times > 1)).toEqual([]);
  }

  /** How long requests took in a phase that were for keys of any but `except`, per port: the 99th percentile. */
  p99(phase: string, except: readonly string[]): number[] {
    return PORTS.map((_, port) => {
      const took = this.#lanes(phase, port)
        .filter(({ owner }) => !except.includes(owner))
        .flatMap((lane) => lane.tookMs);
      return quantileOf(
        took.sort((a, b) => a - b),
        0.99,
      );
    });
  }

  /** How many requests were not answered by their key's owner in a phase, of those whose owner is not in `except`. */
  strangers(phase: string, except: readonly string[]): number {
    return PORTS.flatMap((_, port) => this.#lanes(phase, port))
      .filter(({ owner }) => !except.includes(owner))
      .reduce((sum, lane) => sum + lane.strangers, 0);
  }

  /** One line, for people. */
  figures(victims: readonly string[]): string {
    const [before, during] = ['before', 'during'].map((phase) => this.p99(phase, victims));
    return this.#loads
      .map((load, port) => {
        const mine = this.posted.filter(({ target }) => target.includes(`post=${load.port}-`));
        const unanswered = mine.filter(({ status }) => status !== 200).length;
        const p99 = [before, during].map((figures) => (figures?.[port] ?? Number.NaN).toFixed(1)).join(' → ');
        const sent = load.requests + unanswered;
        return `port ${PORTS[port]}: ${sent} sent, ${load.failures} failed, of ${mine.length} POSTs ${unanswered} unanswered, p99 of others' keys ${p99} ms`;
      })
      .join('; ');
  }

  #lanes(phase: string, port: number): Lane[] {
    const lanes = this.#phases.get(phase) ?? [];
    return lanes.slice(port * this.#names.length, (port + 1) * this.#names.length);
  }

  #ownerOf(client: number): string {
    return this.#names[client % this.#names.length] as string;
  }

  #take(port: number, { client, method, target, status, server, tookMs }: Answered): void {
    const owner = this.#ownerOf(client);
    const streaks = this.#streaks[port] as number[];
    streaks[client] = status === 200 && server === owner ? (streaks[client] ?? 0) + 1 : 0;
    if (method === 'POST') this.posted.push({ target, status });
    const lane = this.#lanes(this.#phase, port)[client % this.#names.length];
    lane?.tookMs.push(tookMs);
    if (lane !== undefined && server !== owner) lane.strangers++;
  }
}
