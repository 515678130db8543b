// @ts-check
import { count, counted, list, percent, place, quoted } from './format.js';
import { KEY_SPACE, walk } from './geometry.js';
import { debounced, make, need, setHidden, tint } from './dom.js';
import { wordsOf } from './api.js';

/**
 * What `/explain` answers.
 *
 * @typedef {object} Answer
 * @property {string} key
 * @property {string} algorithm
 * @property {number} position
 * @property {number} positions
 * @property {number} [point]
 * @property {string | null} owner null where nobody is ready
 * @property {string | null} goes_to
 * @property {string[]} preference
 * @property {{ replica: string, reason: string, detail: string }[]} passed_over
 * @property {string[]} [spread_over]
 */

const TYPING_MS = 200;
const FALLBACKS_SHOWN = 6;
/** Where many are passed over, up to who gets the request. */
const FALLBACKS_MAX = 16;
/** Reasons to pass over one that is ready: nothing is wrong with it. */
const WELL = new Set([
  'asked before',
  'over its bound',
  'spread to another',
  'starting slowly',
  'another map',
]);

/** Who owns a key: asks the server, so that it is what the server does, and not what the page believes. */
export class Probe {
  #input = need('probe', HTMLInputElement);
  #result = need('probe-result', HTMLElement);
  #answer = need('probe-answer', HTMLElement);
  #walk = need('probe-walk', HTMLElement);
  #fallback = need('probe-fallback', HTMLElement);
  #colours;
  #api;
  #changed;
  /** @type {AbortController | null} */
  #asking = null;

  /**
   * @param {object} options
   * @param {import('./api.js').Api} options.api
   * @param {import('./colours.js').Colours} options.colours
   * @param {(answer: Answer | null) => void} options.changed
   */
  constructor({ api, colours, changed }) {
    this.#api = api;
    this.#colours = colours;
    this.#changed = changed;
    const typing = debounced(TYPING_MS, () => void this.ask());
    this.#input.addEventListener('input', () => typing.soon());
    need('probe-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      typing.now();
    });
    document.addEventListener('keydown', (event) => {
      const busy = event.target instanceof Element && event.target.closest('input, textarea, select, dialog');
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || busy) return;
      event.preventDefault();
      this.#input.focus();
      this.#input.select();
    });
  }

  /** Asks, also again: after a change of the ring the answer may be another. */
  async ask() {
    this.#asking?.abort();
    const key = this.#input.value;
    if (key === '') {
      setHidden(this.#result, true);
      this.#changed(null);
      return;
    }
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const answer = await this.#api.get(`/explain?key=${encodeURIComponent(key)}`, asking.signal);
      if (!asking.signal.aborted) this.#show(/** @type {Answer} */ (answer));
    } catch (error) {
      if (asking.signal.aborted) return;
      this.#changed(null);
      this.#answer.replaceChildren(wordsOf(error));
      this.#walk.textContent = '';
      this.#fallback.replaceChildren();
      setHidden(this.#result, false);
    }
  }

  /** @param {Answer} answer */
  #show(answer) {
    const { key, owner, goes_to: goesTo, preference, passed_over: passedOver, spread_over: over } = answer;
    const said = [
      owner === null ? 'Nobody' : this.#named(owner),
      ' owns ',
      make('bdi', { class: 'key' }, [quoted(key)]),
    ];
    if (owner === null) said.push(' now: no replica is ready');
    else if (goesTo === null) said.push(', and nobody would get a request of it now');
    else if (goesTo !== owner) said.push(', and a request of it would go to ', this.#named(goesTo), ' now');
    if (over !== undefined) said.push(`. It is hot, and spread over ${list(over)}`);
    const text = said.map((part) => (typeof part === 'string' ? part : part.textContent)).join('');
    // Written again it would be read out again.
    if (this.#answer.textContent !== text) this.#answer.replaceChildren(...said);
    this.#walk.textContent = whereabouts(answer);
    const reasons = new Map(passedOver.map((one) => [one.replica, one]));
    const reached = Math.max(FALLBACKS_SHOWN, preference.indexOf(goesTo ?? '') + 1);
    const order = preference.slice(0, Math.min(reached, FALLBACKS_MAX)).map((name) => {
      const against = reasons.get(name);
      if (against === undefined) return make('li', {}, [this.#named(name)]);
      const why = make('span', { class: WELL.has(against.reason) ? 'against well' : 'against' }, [
        `${against.reason}: ${against.detail}`,
      ]);
      return make('li', { class: 'passed' }, [this.#named(name), ' ', why]);
    });
    const more = preference.length - order.length;
    if (more > 0) order.push(make('li', { class: 'rest' }, [`and ${more} more`]));
    this.#fallback.replaceChildren(...order);
    setHidden(this.#result, false);
    this.#changed(answer);
  }

  /** @param {string} name */
  #named(name) {
    const element = make('span', { class: 'named' }, [
      make('i', { class: 'swatch', 'aria-hidden': 'true' }),
      name,
    ]);
    tint(element, this.#colours.of(name));
    return element;
  }
}

/**
 * Where the key is, as far as its map has places.
 *
 * @param {Answer} answer
 */
function whereabouts({ algorithm, position, positions, point, owner }) {
  if (point !== undefined) {
    const far = walk(position, point);
    const part = far / KEY_SPACE;
    const distance = part < 0.0005 ? counted(far, 'place') : percent(part);
    return `The key is at ${place(position)}. Clockwise, ${distance} on, the first point is ${place(point)}, one of ${owner}.`;
  }
  if (positions < KEY_SPACE)
    return `The key falls on slot ${count(position)} of ${count(positions)}, which by the map of ${algorithm} is one of ${owner}.`;
  return `The key hashes to ${place(position)}. With ${algorithm} each key has an order of its own among the replicas.`;
}
