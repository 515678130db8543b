import { pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { printable, type Config } from './config.ts';
import { Terminal, wantsColour } from './terminal.ts';

/**
 * What the rooms below need of a logger. A line that tells of a step of something that takes a while has `progress` among
 * its fields, a word for what that is: on a terminal it is shown in the place of the step before.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What Ringmaster writes to. */
export interface Output {
  readonly log: Log;
  /** Undefined on a pipe. */
  readonly terminal: Terminal | undefined;
}

/** Lines that wait where standard output takes none, as on a full disk; what is over it is lost. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** Causes of causes that are told. */
const CAUSES_MAX = 5;

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * For JSON.parse. What a replica says before it dies gets into the log, and must not write on the operator's screen:
 * JSON alone leaves the C1 controls as they are. A stack keeps its lines.
 */
function visible(field: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return field === 'stack' ? value.split('\n').map(printable).join('\n') : printable(value);
}

/** A text without what may be secret in a URL: its query, and a user's password. Platforms put URLs into messages of errors. */
export function withoutSecrets(text: string): string {
  return text
    .replaceAll(/(\/[^\s"'`<>?]*)\?[^\s"'`<>]+/g, '$1?…')
    .replaceAll(/\?[^\s"'`<>]*=[^\s"'`<>]*/g, '?…')
    .replaceAll(/:\/\/[^\s"'`<>/?#@]*@/g, '://…@');
}

/** What is told of an error: not its other properties, which may hold a URL, a body or fields of a request. */
function told(error: unknown, causes = 0): unknown {
  if (!(error instanceof Error))
    return typeof error === 'string' ? withoutSecrets(error) : { type: typeof error };
  const { name, message, stack, cause } = error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: withoutSecrets(error.code) } : {};
  return {
    type: name,
    message: withoutSecrets(message),
    stack: withoutSecrets(stack ?? ''),
    ...code,
    ...(cause === undefined || causes === CAUSES_MAX ? {} : { cause: told(cause, causes + 1) }),
  };
}

const serializers = { err: (error: unknown) => told(error), error: (error: unknown) => told(error) };

/** JSON lines on a pipe, for machines; one readable line each on a terminal. */
export function openLog(level: Config['logLevel']): Log {
  return openOutput(level).log;
}

export function openOutput(level: Config['logLevel']): Output {
  const output = pino.destination({ fd: 1, sync: true, maxLength: WAITING_BYTES_MAX });
  // With nobody to hear of it, it would be thrown at whoever logs, in the midst of a change.
  output.on('error', () => {});
  if (process.stdout.isTTY !== true)
    return { log: pino({ level, base: null, serializers }, output), terminal: undefined };
  const colour = wantsColour(process.env);
  const terminal = new Terminal({
    screen: {
      write: (text) => void output.write(text),
      get columns() {
        return process.stdout.columns;
      },
    },
    colour,
    // Who asks for more wants lines, and who asks for less wants none.
    rewrites: process.env['TERM'] !== 'dumb' && level === 'info',
    now: () => performance.now(),
    every: (ms, act) => {
      const timer = setInterval(act, ms);
      timer.unref();
      return () => clearInterval(timer);
    },
  });
  const pretty = prettyFactory({
    singleLine: true,
    colorize: colour,
    ignore: 'pid,hostname,progress',
    translateTime: 'HH:MM:ss',
  });
  const stream = { write: (line: string) => terminal.print(pretty(JSON.parse(line, visible))) };
  return { log: besides(pino({ level, base: null, serializers }, stream), terminal), terminal };
}

/** While something is under way, its steps change the line that shows it, and are no lines of their own. */
function besides(log: Log, terminal: Terminal): Log {
  const absorbs = (fields: object, message: string): boolean => {
    if (!terminal.busy) return false;
    if ('progress' in fields) {
      terminal.step(message);
      return true;
    }
    return false;
  };
  return {
    debug: (fields, message) => absorbs(fields, message) || log.debug(fields, message),
    // Of who comes and goes at the start and at the end, the start and the end tell.
    info: (fields, message) =>
      absorbs(fields, message) || (terminal.busy && 'to' in fields) || log.info(fields, message),
    warn: (fields, message) => absorbs(fields, message) || log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}
