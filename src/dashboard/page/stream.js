// @ts-check

/** Without news for this long, what is shown is stale: a message comes at least once a second. */
export const STALE_AFTER_MS = 1000;

/** Without news for this long, nothing that is shown should be taken for now. */
export const OLD_AFTER_MS = 3000;

/** Without news for this long an open connection is taken for dead, and another is opened. */
export const DEAD_AFTER_MS = 10_000;

export const RETRY_MIN_MS = 1000;
export const RETRY_MAX_MS = 5000;

/**
 * What is known of the connection. `starting`: no news yet, and the server refuses to give any.
 *
 * @typedef {'connecting' | 'starting' | 'live' | 'stale' | 'lost'} News
 */

/**
 * What a connection calls. `failed`: it broke; `closed`: and it will not come back by itself.
 *
 * @typedef {{ message: (data: string) => void, failed: (closed: boolean) => void }} Listener
 * @typedef {{ close: () => void }} Source
 */

/** Keeps a connection to the stream, and knows how old the last news is. Time and connections come from outside. */
export class Stream {
  #open;
  #now;
  #heard;
  /** @type {Source | null} */
  #source = null;
  /** @type {number | null} */
  #lastAtMs = null;
  #openedAtMs = 0;
  #broken = false;
  #resting = false;
  #refused = false;
  #retryMs = RETRY_MIN_MS;
  /** @type {number | null} */
  #retryAtMs = null;

  /**
   * @param {object} options
   * @param {(listener: Listener) => Source} options.open
   * @param {() => number} options.now in ms, of a clock that only goes forward
   * @param {(message: unknown) => void} options.heard
   */
  constructor({ open, now, heard }) {
    this.#open = open;
    this.#now = now;
    this.#heard = heard;
  }

  /** To be called a few times a second; the first call connects. */
  tick() {
    if (this.#resting) return;
    const now = this.#now();
    if (this.#source === null && (this.#retryAtMs ?? 0) <= now) this.#connect(now);
    else if (this.#source !== null && !this.#broken) {
      const quiet = now - Math.max(this.#lastAtMs ?? 0, this.#openedAtMs);
      if (quiet >= DEAD_AFTER_MS) this.#giveUp(now);
    }
  }

  /** @returns {News} */
  get news() {
    if (this.#lastAtMs === null) return this.#refused ? 'starting' : 'connecting';
    if (this.#broken) return 'lost';
    return this.ageMs > STALE_AFTER_MS ? 'stale' : 'live';
  }

  /** How old the last message is; 0 before the first. */
  get ageMs() {
    return this.#lastAtMs === null ? 0 : Math.max(0, this.#now() - this.#lastAtMs);
  }

  /** Nobody looks: the connection is given back. A browser has six for one server, whatever number of pages is open. */
  rest() {
    this.#resting = true;
    this.#source?.close();
    this.#source = null;
  }

  /** Somebody looks again. */
  wake() {
    if (!this.#resting) return;
    this.#resting = false;
    this.#retryAtMs = null;
    this.tick();
  }

  /** @param {number} now */
  #connect(now) {
    this.#openedAtMs = now;
    this.#retryAtMs = null;
    const source = this.#open({
      message: (data) => {
        if (this.#source === source) this.#hear(data);
      },
      failed: (closed) => {
        if (this.#source !== source) return;
        this.#broken = true;
        // A browser goes on by itself after a connection that broke, and never after a status such as 503.
        if (closed) this.#giveUp(this.#now());
      },
    });
    this.#source = source;
  }

  /** @param {string} data */
  #hear(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      // Half a message is no news.
      return;
    }
    this.#lastAtMs = this.#now();
    this.#broken = false;
    this.#refused = false;
    this.#retryMs = RETRY_MIN_MS;
    this.#heard(message);
  }

  /** @param {number} now */
  #giveUp(now) {
    this.#source?.close();
    this.#source = null;
    this.#broken = true;
    this.#refused = true;
    this.#retryAtMs = now + this.#retryMs;
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }
}
