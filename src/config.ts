/**
 * The environment, read once into a frozen, typed Config. Everything past this file trusts it.
 * A bad value is refused with one line that names the variable, the value and what is allowed.
 */
import { isIP } from 'node:net';
import { COURSE_REPLICAS_MAX } from './ring/course.ts';
import { ALGORITHMS, type Algorithm } from './ring/placement.ts';

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export type RuntimeChoice = 'auto' | 'docker' | 'swarm' | 'process' | 'static';
export type KeySource =
  /** `raw`: as it stands in the request, and not decoded. */
  | { readonly from: 'query'; readonly name: string; readonly raw?: true }
  | { readonly from: 'header'; readonly name: string }
  | { readonly from: 'cookie'; readonly name: string }
  | { readonly from: 'path' }
  | { readonly from: 'ip' };

/** A server that Ringmaster balances but does not own. */
export interface Upstream {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Its share of the keys as a multiple of the share of weight 1: 1 to WEIGHT_MAX, and 1 where it is not said. */
  readonly weight?: number | undefined;
}

/** What decides which replica a request goes to. */
export interface Balance {
  readonly hash: Algorithm;
  /** Watched beside it on real traffic; undefined: none. */
  readonly shadowHash: Algorithm | undefined;
  /** No replica has more in flight than this times its due part of all; 0: however many it gets. */
  readonly loadFactor: number;
  /** Over how many replicas of its order a hot key is spread; 1: it stays with its owner. */
  readonly hotKeySpread: number;
  /** From which part of all requests on a key is hot, above 0 to 1. */
  readonly hotKeyShare: number;
}

/** What the relay gives to one peer, and how long it waits for one. Sizes are bytes, times milliseconds. */
export interface TrafficLimits {
  /** Request line, fields and line ends of one message head; a reply's head has the same. */
  readonly headBytesMax: number;
  readonly headFieldsMax: number;
  readonly targetBytesMax: number;
  /** From the first byte of a head to its last. */
  readonly headTimeoutMs: number;
  /** Between two requests of one connection. */
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** How long a replica may take to send the head of its reply, from the last that it took of the request. */
  readonly replyHeaderTimeoutMs: number;
  /** Without a byte moving, in a body that is under way, whichever side it waits for. */
  readonly bodyStallTimeoutMs: number;
  /** Without a byte in either direction, after an Upgrade. */
  readonly tunnelIdleTimeoutMs: number;
  /** Clients connected at once, for one relay process. */
  readonly connectionsMax: number;
  /** Requests in flight at one replica, for one relay process. */
  readonly replicaInFlightMax: number;
}

export interface Config extends TrafficLimits, Balance {
  readonly host: string;
  /** Control port, 0 to 65535; 0 lets the kernel pick a free one. */
  readonly port: number;
  /** Port of the relay, 0 to 65535; undefined for none. */
  readonly trafficPort: number | undefined;
  /** Processes that relay; with 1 it is this one. */
  readonly workers: number;
  /** Replicas that are asked after the first, where that can do no harm. */
  readonly retries: number;
  /** Addresses or networks (CIDR) whose X-Forwarded fields are believed. */
  readonly trustedProxies: readonly string[];
  /** With the static runtime: the servers to begin with. */
  readonly upstreams: readonly Upstream[];
  readonly runtime: RuntimeChoice;
  /** Replicas to start with when the engine holds none of ours, 0 to maxReplicas; with the static runtime always 0. */
  readonly replicas: number;
  readonly maxReplicas: number;
  /** The label value that marks our containers on an engine shared with others. */
  readonly cluster: string;
  /** Undefined: the project's own image, which is built when it is missing. */
  readonly replicaImage: string | undefined;
  readonly replicaPort: number;
  /** Undefined: the sample server in src/replica. */
  readonly replicaCommand: readonly string[] | undefined;
  readonly hashKey: readonly KeySource[];
  /** How long the share of a new or healed replica takes to grow to what it is due; 0: it has it at once. */
  readonly slowStartMs: number;
  readonly heartbeatPath: string;
  readonly heartbeatIntervalMs: number;
  /** Missed heartbeats in a row that take a replica off the ring. */
  readonly heartbeatFailures: number;
  readonly startTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly onExit: 'remove' | 'keep';
  readonly adminToken: string | undefined;
  readonly allowedHosts: readonly string[];
  /** Whether the page has a button that kills a replica. */
  readonly chaos: boolean;
  /** The part of all requests for replicas that get a line of the log, 0 to 1. */
  readonly accessLog: number;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/**
 * Names become labels, container names, DNS aliases and text on a page: letters and digits first, then also
 * "_", "." and "-"; 1 to 63 characters, the longest label DNS has (RFC 1035, section 2.3.4).
 */
export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$';
const NAME = new RegExp(NAME_PATTERN);
/** A heavier replica makes a larger ring; who needs finer steps than these wants fewer and larger replicas. */
export const WEIGHT_MAX = 100;
/** Of all weights together: on a ring each of them is 1024 points of 8 bytes, sorted anew with each change. */
export const WEIGHT_SUM_MAX = 16_384;
/** Bounds of what a replica may have in flight, as a multiple of its due part. */
const LOAD_FACTOR_MIN = 1.01;
const LOAD_FACTOR_MAX = 100;
/** Algorithms whose maps follow fractions of a weight, and so let a share grow. */
const GROWING: readonly Algorithm[] = ['ring', 'rendezvous'];
/** Labels with dots between them, and perhaps one at the end; "_" is in the names that Compose gives. */
const DNS_NAME = /^(?=.{1,253}$)[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*\.?$/;

type Environment = Readonly<Record<string, string | undefined>>;

/** Parses `env`; throws ConfigError on the first bad value. Unset and empty both mean the default. */
export function parseConfig(env: Environment): Config {
  const hash = choice(env, 'HASH', 'ring', ALGORITHMS);
  const shadowHash = choice(env, 'SHADOW_HASH', 'off', ['off', ...ALGORITHMS]);
  if (shadowHash === hash)
    refuse('SHADOW_HASH', shadowHash, `another algorithm than HASH, which is ${hash} too`);
  const isCourse = hash === 'course' || shadowHash === 'course';
  const maxReplicas = replicasMax(env, 'MAX_REPLICAS', isCourse);
  const runtime = choice(env, 'RUNTIME', 'auto', ['auto', 'docker', 'swarm', 'process', 'static']);
  const replicas = integer(env, 'REPLICAS', Math.min(3, maxReplicas), 0, maxReplicas);
  const controlPort = integer(env, 'PORT', 5000, 0, 65_535);
  const trafficPort = port(env, 'TRAFFIC_PORT', 8080);
  if (trafficPort === controlPort && trafficPort !== 0)
    refuse('TRAFFIC_PORT', String(trafficPort), `another port than PORT, which is ${controlPort} too`);
  return Object.freeze({
    host: text(env, 'HOST', '0.0.0.0', /^[A-Za-z0-9.:_-]{1,253}$/, 'an address or a host name'),
    port: controlPort,
    trafficPort,
    workers: integer(env, 'WORKERS', 1, 1, 64),
    retries: integer(env, 'RETRIES', 2, 0, 10),
    trustedProxies: networks(env, 'TRUSTED_PROXIES'),
    runtime,
    upstreams: upstreams(env, 'UPSTREAMS', { runtime, max: maxReplicas, weighted: hash !== 'course' }),
    replicas: runtime === 'static' ? 0 : replicas,
    maxReplicas,
    // No dot: CLUSTER-NAME and CLUSTER.joining-NAME must never meet the names of another cluster.
    cluster: text(
      env,
      'CLUSTER',
      'ringmaster',
      /^[a-z0-9][a-z0-9_-]{0,31}$/,
      '1 to 32 lower-case letters, digits, "_" or "-"',
    ),
    replicaImage: optional(
      env,
      'REPLICA_IMAGE',
      /^[a-z0-9][A-Za-z0-9._/:@-]{0,254}$/,
      'an image reference such as team/app:1.2',
    ),
    replicaPort: integer(env, 'REPLICA_PORT', 5000, 1, 65_535),
    replicaCommand: command(env, 'REPLICA_COMMAND'),
    hash,
    shadowHash: shadowHash === 'off' ? undefined : shadowHash,
    hashKey: hashKey(env, 'HASH_KEY', 'query:id', hash),
    loadFactor: loadFactor(env, 'LOAD_FACTOR'),
    slowStartMs: slowStart(env, 'SLOW_START_MS', hash),
    hotKeySpread: integer(env, 'HOT_KEY_SPREAD', 1, 1, 64),
    hotKeyShare: share(env, 'HOT_KEY_SHARE', 0.1),
    heartbeatPath: text(env, 'HEARTBEAT_PATH', '/heartbeat', /^\/[!-~]*$/, 'a path that begins with "/"'),
    heartbeatIntervalMs: integer(env, 'HEARTBEAT_INTERVAL_MS', 1000, 50, 3_600_000),
    heartbeatFailures: integer(env, 'HEARTBEAT_FAILURES', 3, 1, 100),
    startTimeoutMs: integer(env, 'START_TIMEOUT_MS', 30_000, 100, 3_600_000),
    drainTimeoutMs: integer(env, 'DRAIN_TIMEOUT_MS', 10_000, 0, 3_600_000),
    headBytesMax: integer(env, 'HEAD_BYTES_MAX', 16_384, 256, 1_048_576),
    headFieldsMax: integer(env, 'HEAD_FIELDS_MAX', 100, 1, 10_000),
    targetBytesMax: integer(env, 'TARGET_BYTES_MAX', 8192, 1, 1_048_576),
    headTimeoutMs: integer(env, 'HEAD_TIMEOUT_MS', 10_000, 100, 3_600_000),
    idleTimeoutMs: integer(env, 'IDLE_TIMEOUT_MS', 75_000, 100, 3_600_000),
    connectTimeoutMs: integer(env, 'CONNECT_TIMEOUT_MS', 1000, 10, 3_600_000),
    replyHeaderTimeoutMs: integer(env, 'REPLY_HEADER_TIMEOUT_MS', 30_000, 100, 3_600_000),
    bodyStallTimeoutMs: integer(env, 'BODY_STALL_TIMEOUT_MS', 60_000, 100, 3_600_000),
    tunnelIdleTimeoutMs: integer(env, 'TUNNEL_IDLE_TIMEOUT_MS', 300_000, 100, 86_400_000),
    connectionsMax: integer(env, 'CONNECTIONS_MAX', 20_000, 1, 1_000_000),
    replicaInFlightMax: integer(env, 'REPLICA_IN_FLIGHT_MAX', 1024, 1, 1_000_000),
    onExit: choice(env, 'ON_EXIT', 'remove', ['remove', 'keep']),
    adminToken: optional(env, 'ADMIN_TOKEN', /^[!-~]{8,512}$/, '8 to 512 printable characters', 'secret'),
    allowedHosts: list(env, 'ALLOWED_HOSTS', /^[A-Za-z0-9.-]{1,253}$/, 'host names separated by commas'),
    chaos: choice(env, 'CHAOS', '0', ['0', '1']) === '1',
    accessLog: part(env, 'ACCESS_LOG', 0),
    logLevel: choice(env, 'LOG_LEVEL', 'info', ['trace', 'debug', 'info', 'warn', 'error', 'silent']),
  });
}

const VALUE_SHOWN_MAX_CHARS = 60;

function refuse(name: string, value: string, allowed: string): never {
  const shown =
    value.length > VALUE_SHOWN_MAX_CHARS ? `${value.slice(0, VALUE_SHOWN_MAX_CHARS - 1)}…` : value;
  throw new ConfigError(`${name}=${printable(JSON.stringify(shown))} is not allowed: it must be ${allowed}`);
}

/**
 * A text as a terminal may show it: with escape codes or line breaks in it, it would write on the operator's screen.
 * JSON.stringify sees to the first 32 characters, but leaves DEL, the C1 controls (U+009B begins an escape code), marks
 * of direction, and what breaks or turns a line.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${(char.codePointAt(0) as number).toString(16)}}`,
  );
}

function value(env: Environment, name: string): string | undefined {
  const found = env[name];
  return found === undefined || found === '' ? undefined : found;
}

function integer(env: Environment, name: string, fallback: number, min: number, max: number): number {
  const found = value(env, name);
  if (found === undefined) return fallback;
  const parsed = /^\d{1,15}$/.test(found) ? Number(found) : Number.NaN;
  if (!(parsed >= min && parsed <= max)) refuse(name, found, `a whole number from ${min} to ${max}`);
  return parsed;
}

function part(env: Environment, name: string, fallback: number): number {
  const found = value(env, name);
  if (found === undefined) return fallback;
  const parsed = /^(?:0|1|0?\.\d{1,6}|1\.0{1,6})$/.test(found) ? Number(found) : Number.NaN;
  if (!(parsed >= 0 && parsed <= 1)) refuse(name, found, 'a number from 0 (none) to 1 (all), such as 0.01');
  return parsed;
}

function share(env: Environment, name: string, fallback: number): number {
  const found = value(env, name);
  if (found === undefined) return fallback;
  const parsed = /^(?:1(?:\.0{1,6})?|0?\.\d{1,6})$/.test(found) ? Number(found) : Number.NaN;
  if (!(parsed > 0)) refuse(name, found, 'a number above 0, at most 1 (all), such as 0.1');
  return parsed;
}

function replicasMax(env: Environment, name: string, isCourse: boolean): number {
  const fallback = isCourse ? Math.min(64, COURSE_REPLICAS_MAX) : 64;
  const found = integer(env, name, fallback, 1, 10_000);
  if (isCourse && found > COURSE_REPLICAS_MAX)
    refuse(
      name,
      String(found),
      `a whole number from 1 to ${COURSE_REPLICAS_MAX} with HASH=course or SHADOW_HASH=course, which has room for no more`,
    );
  return found;
}

/** At 1 a replica may have no more than the mean, and hardly a request stays where its key belongs. */
function loadFactor(env: Environment, name: string): number {
  const found = value(env, name);
  if (found === undefined || found === '0') return 0;
  const parsed = /^\d{1,3}(?:\.\d{1,6})?$/.test(found) ? Number(found) : Number.NaN;
  if (!(parsed >= LOAD_FACTOR_MIN && parsed <= LOAD_FACTOR_MAX))
    refuse(name, found, `0 (off), or a number from ${LOAD_FACTOR_MIN} to ${LOAD_FACTOR_MAX}, such as 1.25`);
  return parsed;
}

function slowStart(env: Environment, name: string, hash: Algorithm): number {
  const ms = integer(env, name, 0, 0, 3_600_000);
  if (ms > 0 && !GROWING.includes(hash))
    refuse(name, String(ms), `0 with HASH=${hash}: shares grow only with HASH=${GROWING.join(' or ')}`);
  return ms;
}

function port(env: Environment, name: string, fallback: number): number | undefined {
  const found = value(env, name);
  if (found === 'off') return undefined;
  const parsed = /^\d{1,5}$/.test(found ?? '') ? Number(found) : Number.NaN;
  if (found === undefined) return fallback;
  if (!(parsed <= 65_535)) refuse(name, found, 'a port from 0 to 65535, or off');
  return parsed;
}

function choice<const T extends string>(
  env: Environment,
  name: string,
  fallback: T,
  allowed: readonly T[],
): T {
  const found = value(env, name);
  if (found === undefined) return fallback;
  const match = allowed.find((one) => one === found);
  return match ?? refuse(name, found, `one of ${allowed.join(', ')}`);
}

function text(env: Environment, name: string, fallback: string, pattern: RegExp, allowed: string): string {
  return optional(env, name, pattern, allowed) ?? fallback;
}

function optional(
  env: Environment,
  name: string,
  pattern: RegExp,
  allowed: string,
  kind: 'plain' | 'secret' = 'plain',
): string | undefined {
  const found = value(env, name);
  if (found !== undefined && !pattern.test(found))
    refuse(name, kind === 'secret' ? '(hidden)' : found, allowed);
  return found;
}

function list(env: Environment, name: string, pattern: RegExp, allowed: string): readonly string[] {
  const found = value(env, name);
  if (found === undefined) return Object.freeze([]);
  // With a dot at the end it is the same host (RFC 1034, section 3.1); callers are compared without it.
  const parts = found.split(',').map((part) => part.trim().toLowerCase().replace(/\.$/, ''));
  if (!parts.every((part) => pattern.test(part))) refuse(name, found, allowed);
  return Object.freeze(parts);
}

function networks(env: Environment, name: string): readonly string[] {
  const found = value(env, name);
  if (found === undefined) return Object.freeze([]);
  const parts = found.split(',').map((part) => part.trim());
  const valid = parts.every((part) => {
    const [address = '', prefix, ...rest] = part.split('/');
    const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    return (
      bits > 0 &&
      // A zone is an interface of this machine, and addresses of peers come without it.
      !address.includes('%') &&
      rest.length === 0 &&
      (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits))
    );
  });
  if (!valid) refuse(name, found, 'addresses or networks such as 10.0.0.0/8, separated by commas');
  return Object.freeze(parts);
}

/**
 * `host:port`; an IPv6 address stands in brackets. Undefined where it is something else. The host is as the URL parser
 * writes it, which has one form for an address however it is written (127.1, [0:0::1]) and none for 999.1.1.1.
 */
export function parseAuthority(text: string): { host: string; port: number } | undefined {
  const match = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(\d{1,5})$/.exec(text);
  const [, name = '', digits] = match ?? [];
  const host = URL.parse(`http://${name}`)?.hostname.replaceAll(/[[\]]/g, '') ?? '';
  const port = Number(digits);
  if (!(name.startsWith('[') || DNS_NAME.test(name)) || host === '') return undefined;
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** `host:port` as Host, URLs and configurations have it; an IPv6 address stands in brackets (RFC 3986, section 3.2.2). */
export function authority({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The same text for every way to write one address and port: with a dot at the end it is the same host. */
export function authorityOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.replace(/\.$/, '')} ${port}`;
}

/** As nginx writes a server in a block of its own: the weight after the address, with a blank between. */
const UPSTREAM = /^([^\s=]+)=([^\s=]+)(?:\s+weight=([1-9]\d{0,2}))?$/;

interface UpstreamRules {
  readonly runtime: RuntimeChoice;
  readonly max: number;
  /** Whether a server may have another weight than 1. */
  readonly weighted: boolean;
}

function upstreams(
  env: Environment,
  name: string,
  { runtime, max, weighted }: UpstreamRules,
): readonly Upstream[] {
  const found = value(env, name);
  if (found === undefined) return Object.freeze([]);
  if (runtime !== 'static') refuse(name, found, 'unset unless RUNTIME=static');
  const allowed = `a list of name=host:port or name=host:port weight=N, separated by commas, N from 1 to ${WEIGHT_MAX}, at most ${max} (MAX_REPLICAS), no name and no server twice`;
  const seen = new Set<string>();
  const parsed = found.split(',').map((part): Upstream => {
    const [, upstream = '', authority = '', digits] = UPSTREAM.exec(part.trim()) ?? [];
    const address = parseAuthority(authority);
    const weight = Number(digits ?? 1);
    // Of a long list, the one that is wrong.
    const shown = part.trim() === '' ? found : part;
    const valid = NAME.test(upstream) && weight >= 1 && weight <= WEIGHT_MAX;
    if (!valid || address === undefined) return refuse(name, shown, allowed);
    if (weight !== 1 && !weighted) refuse(name, shown, 'without weights where HASH=course: it has none');
    for (const key of [upstream.toLowerCase(), authorityOf(address)]) {
      if (seen.has(key)) refuse(name, shown, allowed);
      seen.add(key);
    }
    return Object.freeze({ name: upstream, ...address, ...(digits === undefined ? {} : { weight }) });
  });
  const sum = parsed.reduce((total, { weight = 1 }) => total + weight, 0);
  if (parsed.length > max) refuse(name, found, allowed);
  if (sum > WEIGHT_SUM_MAX) refuse(name, found, `of a total weight of at most ${WEIGHT_SUM_MAX}, not ${sum}`);
  return Object.freeze(parsed);
}

function hashKey(env: Environment, name: string, fallback: string, hash: Algorithm): readonly KeySource[] {
  const found = value(env, name) ?? fallback;
  const allowed = 'a list of query:NAME, header:NAME, cookie:NAME, path, ip, separated by commas';
  return Object.freeze(
    found.split(',').map((part): KeySource => {
      const match = /^(?:(query|header|cookie):([A-Za-z0-9_.-]{1,128})|(path|ip))$/.exec(part.trim());
      if (match === null) refuse(name, found, allowed);
      const [, from, field, bare] = match;
      if (bare === 'path' || bare === 'ip') return Object.freeze({ from: bare });
      // What nginx calls $arg_NAME is not decoded, and who wants its map wants its keys.
      if (from === 'query' && hash === 'nginx')
        return Object.freeze({ from, name: field as string, raw: true });
      return Object.freeze({ from: from as 'query' | 'header' | 'cookie', name: field as string });
    }),
  );
}

/** Splits a command into words: white space separates, single and double quotes group, as a shell would. */
function command(env: Environment, name: string): readonly string[] | undefined {
  const found = value(env, name);
  if (found === undefined) return undefined;
  const allowed = 'a command such as python3 server.py, with every quote closed';
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(found)) refuse(name, found, allowed);
  const words = found.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  const rest = found.replaceAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g, '').trim();
  if (words.length === 0 || rest !== '') refuse(name, found, allowed);
  return Object.freeze(
    words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single)),
  );
}
