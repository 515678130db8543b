import { printable } from '../config.ts';
import type { Log } from '../log.ts';
import type { Plane } from './tally.ts';

/** What a client chooses of a line, at most, in characters: it must not fill the log with one request. */
export const SHOWN_MAX_CHARS = 256;

/** One request, as far as it may be told: no query, no fields, no body. */
export interface Access {
  readonly plane: Plane;
  readonly requestId: string;
  readonly method: string;
  /** As it came: what of it is a secret is left out here. */
  readonly path: string;
  /** Who was asked last; undefined: nobody. */
  readonly replica: string | undefined;
  /** As the client got it; 499: it did not wait for one. */
  readonly status: number;
  /** From the head of the request to the end of the reply. */
  readonly tookMs: number;
  /** Address of who is connected. */
  readonly peer: string;
}

/** A line of the log for some of the requests. */
export class AccessLog {
  readonly #rate: number;
  readonly #log: Log;
  readonly #random: () => number;

  /** `rate`: the part of all requests, 0 to 1; `random` gives 0 or more, and less than 1. */
  constructor(rate: number, log: Log, random: () => number = Math.random) {
    this.#rate = rate;
    this.#log = log;
    this.#random = random;
  }

  /** Whether this request gets a line; to be asked once, at its beginning, so that slow ones count like any other. */
  sample(): boolean {
    return this.#random() < this.#rate;
  }

  write({ plane, requestId, method, path, replica, status, tookMs, peer }: Access): void {
    this.#log.info(
      {
        plane,
        requestId: shown(requestId),
        method: shown(method),
        path: shown(pathOf(path)),
        replica,
        status,
        tookMs: Math.round(tookMs * 100) / 100,
        peer,
      },
      'request',
    );
  }
}

/** Undefined where no request gets a line: then nothing is paid for it. */
export function accessLogOf(rate: number, log: Log): AccessLog | undefined {
  return rate > 0 ? new AccessLog(rate, log) : undefined;
}

/** The path of a target or a URL: without the query, which may hold a token, and without user and password of a URL. */
export function pathOf(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
}

function shown(text: string): string {
  const whole = printable(text.slice(0, SHOWN_MAX_CHARS + 1));
  return whole.length > SHOWN_MAX_CHARS ? `${whole.slice(0, SHOWN_MAX_CHARS - 1)}…` : whole;
}
