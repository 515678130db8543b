// @ts-check
import { isPlan } from './plan.js';

/** @typedef {import('./plan.js').Plan} Plan */
/** @typedef {Readonly<Record<string, number>>} Weights by name */

const ERROR_MARK = /^<Error>\s*/;

/** What a call was refused with, in the server's own words. */
export class Refused extends Error {
  /** @param {string} message @param {number} status 0: no answer at all */
  constructor(message, status) {
    super(message);
    this.name = 'Refused';
    this.status = status;
  }
}

/** Whoever was asked for the token has closed the question. */
export class NotAllowed extends Error {
  constructor() {
    super('Without the token nothing is changed.');
    this.name = 'NotAllowed';
  }
}

/** What only who has the token is told, and nobody has told it. */
export class Locked extends Error {
  constructor() {
    super('This is told to who has the token.');
    this.name = 'Locked';
  }
}

/** @param {Response} response @param {unknown} body */
function refusal(response, body) {
  const said = typeof body === 'object' && body !== null ? Reflect.get(body, 'message') : undefined;
  const message = typeof said === 'string' ? said.replace(ERROR_MARK, '') : '';
  return new Refused(message || `The answer was ${response.status} ${response.statusText}.`, response.status);
}

/** All calls of the page. The token lives here and nowhere else: pages of replicas have our origin, and could read any storage. */
export class Api {
  /** @type {string | null} */
  #token = null;
  #askToken;
  #send;
  /** Whether this server makes plans; null: not known yet. @type {boolean | null} */
  #plans = null;
  needsToken = false;

  /**
   * @param {(again: boolean) => Promise<string | null>} askToken `again`: the last one was not accepted; null: closed
   * @param {(path: string, init: RequestInit) => Promise<Response>} [send]
   */
  constructor(askToken, send = (path, init) => fetch(path, init)) {
    this.#askToken = askToken;
    this.#send = send;
  }

  /** Another Ringmaster may be there now, with other abilities. */
  forgetAbilities() {
    this.#plans = null;
  }

  /** Whether nothing is changed before somebody tells the token. What a change of named replicas would do is told to anybody. */
  get locked() {
    return this.needsToken && this.#token === null;
  }

  /** Asks for the token before it is needed. */
  async unlock() {
    this.#token ??= await this.#askToken(false);
  }

  /** @param {string} path @param {AbortSignal} [signal] @returns {Promise<unknown>} */
  async get(path, signal) {
    return this.#call(path, signal === undefined ? {} : { signal });
  }

  /** @param {number} n @param {readonly string[]} hostnames @param {Weights} [weights] */
  add(n, hostnames, weights = {}) {
    return this.#change('POST', '/add', joining(n, hostnames, weights));
  }

  /** @param {Weights} weights */
  weigh(weights) {
    return this.#change('POST', '/weights', { weights });
  }

  /** @param {number} n @param {readonly string[]} hostnames */
  remove(n, hostnames) {
    return this.#change('DELETE', '/rm', { n, hostnames });
  }

  /** @param {string} name */
  kill(name) {
    return this.#change('POST', '/dashboard/kill', { name });
  }

  /**
   * What adding would do; null where nobody can say. Throws Locked where names are left to a server that wants the token.
   *
   * @param {number} n
   * @param {readonly string[]} hostnames
   * @param {AbortSignal} signal
   * @param {Weights} [weights]
   */
  async planAdd(n, hostnames, signal, weights = {}) {
    if (this.locked) {
      if (hostnames.length !== n) throw new Locked();
      const plan = await this.#plan('POST', '/plan', { add: hostnames, weights }, signal);
      return plan === null ? null : { ...plan, add: onlyIn(plan.after, plan.before) };
    }
    if (!(await this.#makesPlans({ add: ['preview'], rm: [] }, signal))) return null;
    return this.#plan('POST', '/add?dry_run=true', joining(n, hostnames, weights), signal);
  }

  /**
   * @param {number} n
   * @param {readonly string[]} hostnames
   * @param {string} member a replica that is there
   * @param {AbortSignal} signal
   */
  async planRemove(n, hostnames, member, signal) {
    if (this.locked) {
      if (hostnames.length !== n) throw new Locked();
      const plan = await this.#plan('POST', '/plan', { rm: hostnames }, signal);
      return plan === null ? null : { ...plan, rm: onlyIn(plan.before, plan.after) };
    }
    if (!(await this.#makesPlans({ add: [], rm: [member] }, signal))) return null;
    return this.#plan('DELETE', '/rm?dry_run=true', { n, hostnames }, signal);
  }

  /** @param {Weights} weights of replicas that are there @param {AbortSignal} signal */
  async planWeigh(weights, signal) {
    if (this.locked) return this.#plan('POST', '/plan', { weights }, signal);
    if (!(await this.#makesPlans({ add: ['preview'], rm: [] }, signal))) return null;
    return this.#plan('POST', '/weights?dry_run=true', { weights }, signal);
  }

  /**
   * Who makes no plans would take a dry run for a real one, so that is never tried before `/plan`, which can't do harm,
   * has given a plan.
   *
   * @param {{ add: string[], rm: string[] }} harmless a change that could be
   * @param {AbortSignal} signal
   */
  async #makesPlans(harmless, signal) {
    if (this.#plans !== null) return this.#plans;
    try {
      this.#plans = (await this.#plan('POST', '/plan', harmless, signal)) !== null;
    } catch (error) {
      if (!(error instanceof Refused) || error.status === 401 || error.status === 0) throw error;
      // Any other refusal is a planner's: of this change, and not of the one that is asked about.
      if (error.status === 404 || error.status === 405) this.#plans = false;
      else if (error.status < 500) this.#plans = true;
    }
    return this.#plans === true;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} body
   * @param {AbortSignal} signal
   * @returns {Promise<Plan | null>}
   */
  async #plan(method, path, body, signal) {
    try {
      const answer = await this.#call(path, { ...this.#request(method, body), signal });
      return isPlan(answer) ? answer : null;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#token = null;
      throw error;
    }
  }

  /** @param {string} method @param {object} body @returns {RequestInit & { headers: Record<string, string> }} */
  #request(method, body) {
    /** @type {Record<string, string>} */
    const headers = { 'content-type': 'application/json' };
    if (this.#token !== null) headers['authorization'] = `Bearer ${this.#token}`;
    return { method, headers, body: JSON.stringify(body) };
  }

  /** @param {string} method @param {string} path @param {object} body */
  async #change(method, path, body) {
    // A token that was not accepted, or that was not known to be needed.
    let again = false;
    let tried = false;
    for (;;) {
      if (this.#token === null && (this.needsToken || again)) {
        this.#token = await this.#askToken(tried);
        if (this.#token === null) throw new NotAllowed();
      }
      try {
        return await this.#call(path, this.#request(method, body));
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 401) throw error;
        tried = this.#token !== null;
        this.#token = null;
        again = true;
      }
    }
  }

  /** @param {string} path @param {RequestInit} init @returns {Promise<unknown>} */
  async #call(path, init) {
    let response;
    try {
      response = await this.#send(path, { ...init, cache: 'no-store' });
    } catch (error) {
      if (init.signal?.aborted === true) throw error;
      throw new Refused('Ringmaster does not answer.', 0);
    }
    const body = await response.json().catch(() => null);
    if (!response.ok) throw refusal(response, body);
    return body;
  }
}

/** Names with a share in `these` and none in `those`. @param {Weights} these @param {Weights} those */
function onlyIn(these, those) {
  return Object.keys(these).filter((name) => !Object.hasOwn(those, name));
}

/** @param {number} n @param {readonly string[]} hostnames @param {Weights} weights */
function joining(n, hostnames, weights) {
  return Object.keys(weights).length === 0 ? { n, hostnames } : { n, hostnames, weights };
}

/** What to tell of an error. @param {unknown} error */
export function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}
