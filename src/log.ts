import { pino } from 'pino';
import pretty from 'pino-pretty';
import { printable, type Config } from './config.ts';

/** What the rooms below need of a logger. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Lines that wait where standard output takes none, as on a full disk; what is over it is lost. */
const WAITING_BYTES_MAX = 1024 * 1024;

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * For JSON.parse. What a replica says before it dies gets into the log, and must not write on the operator's screen:
 * JSON alone leaves the C1 controls as they are. A stack keeps its lines.
 */
function visible(field: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return field === 'stack' ? value.split('\n').map(printable).join('\n') : printable(value);
}

/** JSON lines on a pipe, for machines; one readable line each on a terminal. */
export function openLog(level: Config['logLevel']): Log {
  if (process.stdout.isTTY !== true) {
    const output = pino.destination({ fd: 1, sync: true, maxLength: WAITING_BYTES_MAX });
    // With nobody to hear of it, it would be thrown at whoever logs, in the midst of a change.
    output.on('error', () => {});
    return pino({ level, base: null }, output);
  }
  return pino(
    { level, base: null, hooks: { streamWrite: (line) => `${JSON.stringify(JSON.parse(line, visible))}\n` } },
    pretty({ sync: true, singleLine: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
  );
}
