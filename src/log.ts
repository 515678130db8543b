import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Config } from './config.ts';

/** What the rooms below need of a logger. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** JSON lines on a pipe, for machines; one readable line each on a terminal. */
export function openLog(level: Config['logLevel']): Log {
  if (process.stdout.isTTY !== true) return pino({ level, base: null });
  return pino(
    { level, base: null },
    pretty({ sync: true, singleLine: true, ignore: 'pid,hostname', translateTime: 'HH:MM:ss' }),
  );
}
