/**
 * Random requests against the API, made from its own description: valid, at the boundaries, mutated, hostile, bent and
 * cut. Whatever is sent, there is no 5xx, each reply is as the description says, a refused call changes nothing, and an
 * accepted one changes N by exactly its n. `bun tests/fuzz/api.ts REQUESTS [SEED]`; a failure is printed with the command
 * that repeats it.
 */
import { WEIGHT_MAX } from '../../src/config.ts';
import { Client } from '../traffic/relay/client.ts';
import { BadMessage } from '../traffic/relay/message.ts';
import { flawOfReply, operationsOf } from './document.ts';
import { probe, type Kind, type Probe } from './requests.ts';
import { Subject } from './subject.ts';

/** In the middle of a run nobody says more of it than how far it is. */
const PROGRESS_EVERY = 10_000;
/** What is said of a request that fails, at most. */
const SHOWN_CHARS_MAX = 600;
/** With a method and a version that are some (RFC 9110, section 5.6.2). */
const REQUEST_LINE = /^[\w!#$%&'*+.^`|~-]+ [!-~\u0080-\u00ff]+ HTTP\/1\.[01]\r\n/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

interface Answer {
  /** 0: the connection ended without a word. */
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

export interface Figures {
  readonly requests: number;
  /** How many got which status; 0 where the connection was ended without one. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly kinds: ReadonlyMap<Kind, number>;
  readonly accepted: number;
  /** What went wrong first, with the command that shows it again; undefined: nothing. */
  readonly failure: string | undefined;
}

/** Sends so many; ends at the first that goes wrong. */
export async function fuzz(
  requests: number,
  seed: number,
  progress: (sent: number) => void = () => {},
): Promise<Figures> {
  await using subject = await Subject.open();
  const operations = await operationsOf(subject.url);
  const sender = new Sender(subject);
  const statuses = new Map<number, number>();
  const kinds = new Map<Kind, number>();
  let accepted = 0;
  let failure: string | undefined;
  let sent = 0;
  for (; sent < requests && failure === undefined; sent++) {
    const one = probe(operations, seed, sent);
    const before = subject.state();
    const answer = await sender.send(one);
    if (answer !== undefined) statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    kinds.set(one.kind, (kinds.get(one.kind) ?? 0) + 1);
    const after = subject.state();
    const changed = before.text !== after.text;
    if (changed) accepted++;
    const flaw =
      subject.bugs[0] ??
      (answer === undefined ? undefined : flawOfAnswer(one, answer)) ??
      flawOfChange(one, answer, before.names, after.names, changed);
    if (flaw !== undefined)
      failure =
        `bun tests/fuzz/api.ts ${sent + 1} ${seed}\n  request ${sent} (${one.kind}): ${flaw}\n` +
        `  ${JSON.stringify(one.text).slice(0, SHOWN_CHARS_MAX)}\n  ${JSON.stringify(answer ?? null).slice(0, SHOWN_CHARS_MAX)}`;
    // Without replicas there is truly nobody to ask, and 503 the right answer: that is for other tests.
    if (after.names.length === 0) await subject.fleet.add({ n: 3, hostnames: [] });
    if ((sent + 1) % PROGRESS_EVERY === 0) progress(sent + 1);
  }
  sender.close();
  return { requests: sent, statuses, kinds, accepted, failure };
}

/** Keeps a connection to each port, as long as it lasts. */
class Sender {
  readonly #subject: Subject;
  readonly #kept = new Map<number, Client>();

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Undefined where no reply is to come. */
  async send(one: Probe): Promise<Answer | undefined> {
    const [open, withToken] = this.#subject.ports;
    const port = one.guarded ? withToken : open;
    const kept = this.#kept.get(port);
    this.#kept.delete(port);
    if (kept !== undefined && kept.ended === undefined) {
      const answer = await this.#sendOn(kept, port, one);
      // One that is closed just as it is used tells nothing of the request; were it acted on, it would be so twice, which shows.
      if (answer?.status !== 0) return answer;
    }
    return this.#sendOn(await Client.open(port), port, one);
  }

  async #sendOn(client: Client, port: number, { text, method, cut }: Probe): Promise<Answer | undefined> {
    const receivedBytes = client.receivedBytes;
    client.write(Buffer.from(text, 'latin1'));
    if (cut) {
      await client.flushed;
      client.shutdown();
      await client.end();
      client.close();
      return undefined;
    }
    try {
      const { status, fields, body } = await client.final(method);
      const type = fields.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
      if (status < 300) this.#kept.set(port, client);
      else client.close();
      return { status, type, text: body.text };
    } catch (error) {
      client.close();
      if (error instanceof BadMessage && client.ended !== undefined && client.receivedBytes === receivedBytes)
        return { status: 0, type: '', text: '' };
      throw error;
    }
  }

  close(): void {
    for (const client of this.#kept.values()) client.close();
  }
}

function flawOfAnswer({ operation, text }: Probe, answer: Answer): string | undefined {
  const { status, type } = answer;
  // What Bun says to a first line that is none: that it is not in this version of HTTP (RFC 9110, section 15.6.6).
  if (status === 505 && !REQUEST_LINE.test(text)) return undefined;
  if (status >= 500) return `a ${status}`;
  if (operation !== undefined) return flawOfReply(operation, answer);
  // Of what is no call of ours: if it is refused by us, then in our words.
  if (status >= 400 && type.startsWith('application/json'))
    return /^\{"message":"<Error> [^\n]*","status":"failure"\}$/.test(answer.text)
      ? undefined
      : 'an error of another shape';
  return undefined;
}

function flawOfChange(
  { body, mayChange }: Probe,
  answer: Answer | undefined,
  before: readonly string[],
  after: readonly string[],
  changed: boolean,
): string | undefined {
  const reported = answer?.status === 200 ? reportedBy(answer.text) : undefined;
  if (reported === undefined)
    return changed ? 'a call that was not accepted has changed something' : undefined;
  if (!mayChange) return 'a call that had to be refused was accepted';
  const { n, hostnames } = asked(body);
  if (n === undefined) return 'a body that is no change was accepted';
  if (reported.join() !== after.join()) return 'the reply says otherwise than /rep';
  const joined = after.filter((name) => !before.includes(name));
  const left = before.filter((name) => !after.includes(name));
  if (joined.length + left.length !== n || (joined.length > 0 && left.length > 0))
    return `${joined.length} joined and ${left.length} left, where n is ${n}`;
  const moved = new Set((joined.length > 0 ? joined : left).map((name) => name.toLowerCase()));
  const unmoved = hostnames.filter((name) => !moved.has(name.toLowerCase()));
  return unmoved.length === 0 ? undefined : `it was about ${JSON.stringify(unmoved)}, and others moved`;
}

/** The replicas that a reply to a change names; undefined where it is none. */
function reportedBy(text: string): string[] | undefined {
  const { replicas } =
    /^\{"message":\{"N":\d+,"replicas":(?<replicas>\[.*\])\},"status":"successful"\}$/.exec(text)?.groups ??
    {};
  return replicas === undefined ? undefined : (JSON.parse(replicas) as string[]);
}

/** What a change asks for, read strictly; without n where it is none. */
function asked(body: string): { readonly n?: number; readonly hostnames: readonly string[] } {
  const none = { hostnames: [] };
  try {
    const value: unknown = JSON.parse(Buffer.from(body, 'latin1').toString());
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return none;
    const { n, hostnames = [], weights = {}, ...more }: Record<string, unknown> = { ...value };
    if (!Number.isSafeInteger(n) || Number(n) < 1 || Object.keys(more).length > 0) return none;
    if (!Array.isArray(hostnames) || hostnames.length > Number(n)) return none;
    if (!hostnames.every((name) => typeof name === 'string' && NAME.test(name))) return none;
    return areWeights(weights, hostnames) ? { n: Number(n), hostnames } : none;
  } catch {
    return none;
  }
}

/** Whether they are weights of some of those. */
function areWeights(weights: unknown, hostnames: readonly string[]): boolean {
  if (typeof weights !== 'object' || weights === null || Array.isArray(weights)) return false;
  const named = new Set(hostnames.map((name) => name.toLowerCase()));
  return Object.entries(weights).every(
    ([name, weight]) =>
      named.has(name.toLowerCase()) && Number.isInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX,
  );
}

/** One line of what came of a run. */
export function told({ requests, statuses, accepted }: Figures, seconds: number): string {
  const counts = [...statuses]
    .sort(([a], [b]) => a - b)
    .map(([status, count]) => `${status || 'cut off'}: ${count}`);
  return `${requests} requests in ${seconds.toFixed(1)} s, ${accepted} accepted changes; replies: ${counts.join(', ')}`;
}

if (import.meta.main) {
  const [requests = '100000', seed = '1'] = process.argv.slice(2);
  const began = performance.now();
  const figures = await fuzz(Number(requests), Number(seed), (sent) => process.stdout.write(`${sent}\n`));
  if (figures.failure !== undefined) process.stdout.write(`${figures.failure}\n`);
  process.stdout.write(`${told(figures, (performance.now() - began) / 1000)}\n`);
  process.exit(figures.failure === undefined ? 0 : 1);
}
