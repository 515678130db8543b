/**
 * The environment, read once into a frozen, typed Config. Everything past this file trusts it.
 * A bad value is refused with one line that names the variable, the value and what is allowed.
 */

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export type RuntimeChoice = 'auto' | 'docker' | 'process';
export type KeySource =
  | { readonly from: 'query'; readonly name: string }
  | { readonly from: 'header'; readonly name: string }
  | { readonly from: 'cookie'; readonly name: string }
  | { readonly from: 'path' }
  | { readonly from: 'ip' };

export interface Config {
  readonly host: string;
  /** Control port, 0 to 65535; 0 lets the kernel pick a free one. */
  readonly port: number;
  readonly runtime: RuntimeChoice;
  /** Replicas to start with when the engine holds none of ours, 0 to maxReplicas. */
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
  readonly heartbeatPath: string;
  readonly heartbeatIntervalMs: number;
  /** Missed heartbeats in a row that take a replica off the ring. */
  readonly heartbeatFailures: number;
  readonly startTimeoutMs: number;
  readonly drainTimeoutMs: number;
  /** How long a replica may take to send the head of its reply, from the last that it took of the request. */
  readonly replyHeaderTimeoutMs: number;
  readonly onExit: 'remove' | 'keep';
  readonly adminToken: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Parses `env`; throws ConfigError on the first bad value. Unset and empty both mean the default. */
export function parseConfig(env: Environment): Config {
  const maxReplicas = integer(env, 'MAX_REPLICAS', 64, 1, 10_000);
  return Object.freeze({
    host: text(env, 'HOST', '0.0.0.0', /^[A-Za-z0-9.:_-]{1,253}$/, 'an address or a host name'),
    port: integer(env, 'PORT', 5000, 0, 65_535),
    runtime: choice(env, 'RUNTIME', 'auto', ['auto', 'docker', 'process']),
    replicas: integer(env, 'REPLICAS', Math.min(3, maxReplicas), 0, maxReplicas),
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
    hashKey: hashKey(env, 'HASH_KEY', 'query:id'),
    heartbeatPath: text(env, 'HEARTBEAT_PATH', '/heartbeat', /^\/[!-~]*$/, 'a path that begins with "/"'),
    heartbeatIntervalMs: integer(env, 'HEARTBEAT_INTERVAL_MS', 1000, 50, 3_600_000),
    heartbeatFailures: integer(env, 'HEARTBEAT_FAILURES', 3, 1, 100),
    startTimeoutMs: integer(env, 'START_TIMEOUT_MS', 30_000, 100, 3_600_000),
    drainTimeoutMs: integer(env, 'DRAIN_TIMEOUT_MS', 10_000, 0, 3_600_000),
    replyHeaderTimeoutMs: integer(env, 'REPLY_HEADER_TIMEOUT_MS', 30_000, 100, 3_600_000),
    onExit: choice(env, 'ON_EXIT', 'remove', ['remove', 'keep']),
    adminToken: optional(env, 'ADMIN_TOKEN', /^[!-~]{8,512}$/, '8 to 512 printable characters', 'secret'),
    allowedHosts: list(env, 'ALLOWED_HOSTS', /^[A-Za-z0-9.-]{1,253}$/, 'host names separated by commas'),
    logLevel: choice(env, 'LOG_LEVEL', 'info', ['trace', 'debug', 'info', 'warn', 'error', 'silent']),
  });
}

const VALUE_SHOWN_MAX_CHARS = 60;

function refuse(name: string, value: string, allowed: string): never {
  const shown =
    value.length > VALUE_SHOWN_MAX_CHARS ? `${value.slice(0, VALUE_SHOWN_MAX_CHARS - 1)}…` : value;
  throw new ConfigError(`${name}=${quoted(shown)} is not allowed: it must be ${allowed}`);
}

/**
 * A value with line breaks or escape codes must not write on the operator's terminal. JSON.stringify sees to the first
 * 32 characters, but leaves DEL, the C1 controls (U+009B begins an escape code), and what breaks or turns a line.
 */
function quoted(value: string): string {
  return JSON.stringify(value).replaceAll(
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

function hashKey(env: Environment, name: string, fallback: string): readonly KeySource[] {
  const found = value(env, name) ?? fallback;
  const allowed = 'a list of query:NAME, header:NAME, cookie:NAME, path, ip, separated by commas';
  return Object.freeze(
    found.split(',').map((part): KeySource => {
      const match = /^(?:(query|header|cookie):([A-Za-z0-9_.-]{1,128})|(path|ip))$/.exec(part.trim());
      if (match === null) refuse(name, found, allowed);
      const [, from, field, bare] = match;
      if (bare === 'path' || bare === 'ip') return Object.freeze({ from: bare });
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
