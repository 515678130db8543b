import { parseArgs } from 'node:util';
import { printable } from '../config.ts';
import type { Algorithm } from '../ring/placement.ts';

/** The command line asks for something that there is not: one line that says what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the lab can compare: the assignment's map, and what Ringmaster has in its place. */
export const LAB_ALGORITHMS = [
  'ring',
  'maglev',
  'rendezvous',
  'course',
] as const satisfies readonly Algorithm[];
export type LabAlgorithm = (typeof LAB_ALGORITHMS)[number];
export const LAB_RUNTIMES = ['auto', 'process', 'docker'] as const;
export type LabRuntime = (typeof LAB_RUNTIMES)[number];

export interface LabOptions {
  /** Requests of each measurement. */
  readonly requests: number;
  /** The smallest and the largest number of replicas of A-2. */
  readonly replicas: readonly [number, number];
  readonly algorithms: readonly LabAlgorithm[];
  readonly out: string;
  readonly runtime: LabRuntime;
  /** Of the ids of requests: an integer in [0, 2^32). */
  readonly seed: number;
}

export interface GradeOptions {
  /** Scheme, host and port, perhaps a path; no slash at the end. */
  readonly url: string;
  readonly json: boolean;
  /** Of each call. */
  readonly timeoutMs: number;
  /** Whether the fleet may be changed without asking. */
  readonly yes: boolean;
  /** Whether a certificate that nobody vouches for is taken. */
  readonly insecure: boolean;
  /** Sent with what changes servers, never shown; undefined: none. */
  readonly token: string | undefined;
}

export type Command =
  | { readonly kind: 'lab'; readonly options: LabOptions }
  | { readonly kind: 'grade'; readonly options: GradeOptions }
  | { readonly kind: 'help'; readonly text: string };

const REQUESTS_DEFAULT = 10_000;
const REQUESTS_MAX = 1_000_000;
/** The assignment's map has room for more, but a chart of more servers is no longer read. */
const REPLICAS_MAX = 16;
const SEED_DEFAULT = 1;
const SEED_MAX = 2 ** 32 - 1;
const OUT_DEFAULT = 'lab-report';
const TIMEOUT_DEFAULT_MS = 30_000;
const TIMEOUT_MIN_MS = 100;
const TIMEOUT_MAX_MS = 600_000;
const TOKEN = /^[!-~]{1,512}$/;

export const LAB_HELP = `bun run lab [options]: the four analyses of the assignment, against live replicas, as a report

  --requests N       requests of each measurement (${REQUESTS_DEFAULT})
  --replicas A..B    numbers of replicas of analysis A-2 (2..6); --servers is the same
  --algorithms LIST  which of ${LAB_ALGORITHMS.join(',')} (all)
  --out DIR          where the report and the CSV files go (${OUT_DEFAULT}/)
  --runtime NAME     how replicas run: ${LAB_RUNTIMES.join(', ')} (auto)
  --seed N           of the random ids of requests (${SEED_DEFAULT})

It ends with 0 where the report was written, 1 where it could not be, and 2 where the call is wrong.

bun run lab grade URL [options]: checks any implementation of the assignment against its contract

  --json             the verdict as JSON
  --timeout-ms N     how long one call may take (${TIMEOUT_DEFAULT_MS})
  --yes              do not ask before servers are added and removed
  --insecure         of https, take a certificate that nobody vouches for

Where changes need a bearer token it is taken from the variable GRADE_TOKEN, and sent with /add and /rm.
It ends with 0 where no point failed, also where one can't be seen from outside; 1 where one failed; 3 where a token was
missing, or time; and 2 where the server can't be reached or the call is wrong.
`;

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UsageError with one line on the first thing that is not allowed */
export function parseCommand(args: readonly string[], env: Environment = {}): Command {
  if (args.includes('--help') || args.includes('-h')) return { kind: 'help', text: LAB_HELP };
  return args[0] === 'grade'
    ? { kind: 'grade', options: gradeOptions(args.slice(1), env) }
    : { kind: 'lab', options: labOptions(args) };
}

const LAB_FLAGS = {
  requests: { type: 'string' },
  replicas: { type: 'string' },
  servers: { type: 'string' },
  algorithms: { type: 'string' },
  out: { type: 'string' },
  runtime: { type: 'string' },
  seed: { type: 'string' },
} as const;
const GRADE_FLAGS = {
  json: { type: 'boolean' },
  yes: { type: 'boolean' },
  insecure: { type: 'boolean' },
  'timeout-ms': { type: 'string' },
} as const;

function labOptions(args: readonly string[]): LabOptions {
  const { values, positionals } = parsed(args, LAB_FLAGS);
  if (positionals.length > 0)
    refuse(`${shown(positionals[0])} is no command: it is grade URL, or nothing for the four analyses`);
  if (values.replicas !== undefined && values.servers !== undefined)
    refuse('--servers is another name of --replicas: give one of them');
  return {
    requests: whole('--requests', values.requests, REQUESTS_DEFAULT, 1, REQUESTS_MAX),
    replicas: range(values.replicas ?? values.servers),
    algorithms: algorithms(values.algorithms),
    out:
      values.out === ''
        ? refuse('--out="" is not allowed: it must be a folder')
        : (values.out ?? OUT_DEFAULT),
    runtime: runtime(values.runtime),
    seed: whole('--seed', values.seed, SEED_DEFAULT, 0, SEED_MAX),
  };
}

function gradeOptions(args: readonly string[], env: Environment): GradeOptions {
  const { values, positionals } = parsed(args, GRADE_FLAGS);
  const [url, other] = positionals;
  if (url === undefined) refuse('grade needs a URL, such as http://localhost:5000');
  if (other !== undefined) refuse(`grade takes one URL, and ${shown(other)} is one more`);
  const base = baseOf(url);
  const insecure = values.insecure ?? false;
  if (insecure && !base.startsWith('https:')) refuse('--insecure is for a URL of https');
  return {
    url: base,
    insecure,
    token: tokenOf(env['GRADE_TOKEN']),
    json: values.json ?? false,
    yes: values.yes ?? false,
    timeoutMs: whole(
      '--timeout-ms',
      values['timeout-ms'],
      TIMEOUT_DEFAULT_MS,
      TIMEOUT_MIN_MS,
      TIMEOUT_MAX_MS,
    ),
  };
}

/** With `http://` where no scheme is given; without what a call can't begin with. */
function baseOf(text: string): string {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === null || !isHttp || url.username !== '' || url.search !== '' || url.hash !== '')
    refuse(`${shown(text)} is not allowed: it must be a URL such as http://localhost:5000`);
  return url.origin + url.pathname.replace(/\/+$/, '');
}

/** The message does not hold the value: it is a secret. */
function tokenOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  return TOKEN.test(text)
    ? text
    : refuse('GRADE_TOKEN is not allowed: it must be 1 to 512 printable characters without spaces');
}

type Flags = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>;

function parsed<const F extends Flags>(args: readonly string[], options: F) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch {
    const known = Object.keys(options).map((name) => `--${name}`);
    const wrong = culprit(args, options);
    // As parseArgs has it, what begins with a dash is never a value that stands apart.
    if (wrong !== undefined && options[wrong.slice(2)]?.type === 'string')
      return refuse(`${wrong} needs a value: ${wrong}=VALUE`);
    return refuse(`${shown(wrong)} is not understood: there are ${known.join(', ')} and --help`);
  }
}

/** Which of the arguments can't be parsed, for a message of our own: the platforms' differ. */
function culprit(args: readonly string[], options: Flags): string | undefined {
  return args.find((arg, i) => {
    if (!arg.startsWith('-')) return false;
    const [name = '', value] = arg.replace(/^--?/, '').split('=', 2);
    const type = arg.startsWith('--') ? options[name]?.type : undefined;
    if (type === 'string') return value === undefined && (args[i + 1]?.startsWith('-') ?? true);
    return type === undefined || value !== undefined;
  });
}

function whole(name: string, text: string | undefined, fallback: number, min: number, max: number): number {
  if (text === undefined) return fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max
    ? value
    : refuse(`${name}=${shown(text)} is not allowed: it must be a whole number from ${min} to ${max}`);
}

function range(text: string | undefined): readonly [number, number] {
  if (text === undefined) return [2, 6];
  const match = /^(\d{1,2})(?:(?:\.\.|-)(\d{1,2}))?$/.exec(text);
  const [from, to] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? match?.[1] ?? 0)];
  return from >= 1 && from <= to && to <= REPLICAS_MAX
    ? [from, to]
    : refuse(
        `--replicas=${shown(text)} is not allowed: it must be A..B with numbers from 1 to ${REPLICAS_MAX}`,
      );
}

function algorithms(text: string | undefined): readonly LabAlgorithm[] {
  if (text === undefined) return LAB_ALGORITHMS;
  const found = new Set<LabAlgorithm>();
  for (const part of text.split(',')) {
    const match = LAB_ALGORITHMS.find((one) => one === part.trim().toLowerCase());
    found.add(
      match ??
        refuse(`--algorithms=${shown(text)} is not allowed: it must be some of ${LAB_ALGORITHMS.join(',')}`),
    );
  }
  return [...found];
}

function runtime(text: string | undefined): LabRuntime {
  if (text === undefined) return 'auto';
  const match = LAB_RUNTIMES.find((one) => one === text);
  return (
    match ?? refuse(`--runtime=${shown(text)} is not allowed: it must be one of ${LAB_RUNTIMES.join(', ')}`)
  );
}

function refuse(line: string): never {
  throw new UsageError(line);
}

const SHOWN_CHARS_MAX = 60;

function shown(text: string | undefined): string {
  const whole = text ?? '';
  const cut = whole.length > SHOWN_CHARS_MAX ? `${whole.slice(0, SHOWN_CHARS_MAX - 1)}…` : whole;
  return printable(JSON.stringify(cut));
}
