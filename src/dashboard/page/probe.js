// @ts-check
import { counted, percent, place } from './format.js';
import { KEY_SPACE, walk } from './geometry.js';
import { debounced, make, need, setHidden, tint } from './dom.js';
import { wordsOf } from './api.js';

/** @typedef {{ id: string, position: number, point: number | null, owner: string | null, preference: string[] }} Answer */

const TYPING_MS = 200;
const FALLBACKS_SHOWN = 6;

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
    const id = this.#input.value;
    if (id === '') {
      setHidden(this.#result, true);
      this.#changed(null);
      return;
    }
    const asking = new AbortController();
    this.#asking = asking;
    try {
      const answer = await this.#api.get(`/dashboard/probe?id=${encodeURIComponent(id)}`, asking.signal);
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
    const { id, position, point, owner, preference } = answer;
    const said =
      owner === null
        ? ['Nobody owns “', `${id}”: no replica is on the ring.`]
        : [this.#named(owner), ` owns “${id}”`];
    const text = said.map((part) => (typeof part === 'string' ? part : part.textContent)).join('');
    // Written again it would be read out again.
    if (this.#answer.textContent !== text) this.#answer.replaceChildren(...said);
    if (point === null || owner === null) this.#walk.textContent = `The key is at ${place(position)}.`;
    else {
      const far = walk(position, point);
      const part = far / KEY_SPACE;
      const distance = part < 0.0005 ? counted(far, 'place') : percent(part);
      this.#walk.textContent = `The key is at ${place(position)}. Clockwise, ${distance} on, the first point is ${place(point)}, one of ${owner}.`;
    }
    const order = preference.slice(0, FALLBACKS_SHOWN).map((name) => make('li', {}, [this.#named(name)]));
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
