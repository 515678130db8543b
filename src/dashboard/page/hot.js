// @ts-check
import { count, listParts, percent, quoted } from './format.js';
import { make, need, setHidden, setText, tint } from './dom.js';

/** @typedef {import('./store.js').Snapshot} Snapshot */

/**
 * What `/hot` answers, as far as the page shows it.
 *
 * @typedef {object} Hot
 * @property {number} requests
 * @property {number | null} at_home
 * @property {{ key: string | null, hash: string | null, share: number, replica: string | null, spread_over?: string[] }[]} keys
 * @property {{ over: number, from_share: number }} spread
 */

/**
 * What `/shadow` answers, as far as the page shows it.
 *
 * @typedef {object} Shadow
 * @property {string} hash
 * @property {string} shadow
 * @property {number} requests
 * @property {number | null} agreement
 * @property {{ live: number | null, shadow: number | null }} largest_over_mean
 */

/** It is asked again after so long, and not at all while nobody sees the page. */
const ASK_EVERY_MS = 5000;
/** Of fewer requests, as they count, no key is worth a word. */
const REQUESTS_MIN = 50;
/** Below this share of all requests a key is like any other. */
const HOT_FROM = 0.05;
const KEYS_SHOWN = 8;
/** Replicas that one key is spread over. */
const NAMES_SHOWN = 4;

/** The keys that are shown: those that stand out, or that are spread. @param {Hot} hot */
export function standingOut({ requests, keys }) {
  if (requests < REQUESTS_MIN) return [];
  return keys
    .filter(({ share, spread_over: over }) => share >= HOT_FROM || over !== undefined)
    .slice(0, KEYS_SHOWN);
}

/** From when on, and for how long, a key is spread; empty where none is. @param {Hot['spread']} spread */
export function spreadWords({ over, from_share: from }) {
  if (over < 2) return '';
  return (
    ` From a share of ${percent(from)} on a key is spread over ${over} replicas, ` +
    'until its share is below half of that.'
  );
}

/** Two algorithms on the same requests, in one sentence. @param {Shadow} shadow */
export function shadowWords({ hash, shadow, requests, agreement, largest_over_mean: largest }) {
  if (agreement === null) return `In the shadow ${shadow} is watched: no request had a key of its own yet.`;
  const times = (/** @type {number | null} */ value) => (value === null ? '–' : value.toFixed(2));
  return (
    `In the shadow ${shadow} is watched: both maps name the same owner for ${percent(agreement)} of ${count(requests)} requests. ` +
    `Busiest replica, as a multiple of its due: ${times(largest.live)} with ${hash}, ${times(largest.shadow)} with ${shadow}.`
  );
}

/** Keys that come very often, and the algorithm that is watched beside the one in force. */
export class HotKeys {
  #section = need('hot-section', HTMLElement);
  #note = need('hot-note', HTMLElement);
  #body = need('hot', HTMLElement);
  #shadow = need('shadow-note', HTMLElement);
  #api;
  #colours;
  #live;
  #askedAt = -Infinity;

  /**
   * @param {object} options
   * @param {import('./api.js').Api} options.api
   * @param {import('./colours.js').Colours} options.colours
   * @param {() => Snapshot | null} options.live what is known of now; null: nothing, or the page is not to ask
   */
  constructor({ api, colours, live }) {
    this.#api = api;
    this.#colours = colours;
    this.#live = live;
  }

  /** To be called often. @param {number} now milliseconds that only grow */
  tick(now) {
    if (document.hidden || now - this.#askedAt < ASK_EVERY_MS) return;
    const snapshot = this.#live();
    if (snapshot === null) return;
    this.#askedAt = now;
    void this.#ask(snapshot);
  }

  /** @param {Snapshot} snapshot */
  async #ask({ ring: { shadow } }) {
    try {
      this.#show(/** @type {Hot} */ (await this.#api.get('/hot')));
      // Where none is watched the answer would be an error.
      const watched = shadow === null ? null : /** @type {Shadow} */ (await this.#api.get('/shadow'));
      setText(this.#shadow, watched === null ? '' : shadowWords(watched));
    } catch {
      // The stream says what is wrong with the connection; what was shown last is not of now.
      setHidden(this.#section, true);
      setText(this.#shadow, '');
    }
  }

  /** @param {Hot} hot */
  #show(hot) {
    const keys = standingOut(hot);
    const spread = spreadWords(hot.spread);
    setHidden(this.#section, keys.length === 0 && spread === '');
    setText(
      this.#note,
      keys.length === 0
        ? `No key stands out lately.${spread}`
        : `Of the requests of the last minutes ${percent(hot.at_home)} went to the owner of their key.${spread}`,
    );
    this.#body.replaceChildren(...keys.map((one) => this.#row(one)));
    setHidden(need('hot-scroll', HTMLElement), keys.length === 0);
  }

  /** @param {Hot['keys'][number]} one */
  #row({ key, hash, share, replica, spread_over: over }) {
    const title =
      key === null
        ? make('span', { class: 'name' }, [hash === null ? 'a long key' : `hash ${hash}`])
        : make('bdi', { class: 'name key' }, [quoted(key)]);
    const names = over ?? (replica === null ? [] : [replica]);
    const whose = listParts(
      names.map((name) => this.#named(name)),
      NAMES_SHOWN,
    );
    const cell = make('td', {}, whose.length === 0 ? ['–'] : whose);
    return make('tr', { 'data-test': 'hot-key' }, [
      make('th', { scope: 'row' }, [title]),
      make('td', { class: 'number' }, [percent(share)]),
      cell,
    ]);
  }

  /** @param {string} name */
  #named(name) {
    const element = make('span', { class: 'name' }, [
      make('i', { class: 'swatch', 'aria-hidden': 'true' }),
      name,
    ]);
    tint(element, this.#colours.of(name));
    return element;
  }
}
