// @ts-check
import { clock, counted } from './format.js';
import { NAMES_SHOWN, grouped, reasonOf, toneOf, verbOf, whoOf } from './happenings.js';
import { arrange, make, need, setHidden, setText, tint } from './dom.js';

/** Groups that are shown; the rest would be scrolled past. */
const SHOWN = 200;

/** @type {Readonly<Record<string, string>>} What a tone looks like to who sees no colour. */
const SIGNS = { good: '+', bad: '!', calm: '·' };

/** What has happened, newest first. */
export class Timeline {
  #list = need('events', HTMLElement);
  #empty = need('log-empty', HTMLElement);
  #missed = need('log-missed', HTMLElement);
  #count = need('log-count', HTMLElement);
  #colours;
  #revision = -1;
  /** @type {Map<string, { element: HTMLElement, who: HTMLElement }>} */
  #items = new Map();

  /** @param {import('./colours.js').Colours} colours */
  constructor(colours) {
    this.#colours = colours;
  }

  /** @param {import('./store.js').Store} store */
  show({ events, missed, eventsRevision }) {
    if (eventsRevision === this.#revision) return;
    this.#revision = eventsRevision;
    const groups = new Map(
      grouped(events)
        .slice(0, SHOWN)
        .map((group) => [`${group.seq} ${group.at}`, group]),
    );
    arrange(this.#list, this.#items, [...groups.keys()], (key) =>
      this.#create(/** @type {import('./happenings.js').Group} */ (groups.get(key))),
    );
    for (const [key, group] of groups) {
      const item = this.#items.get(key);
      if (item && item.who.dataset['who'] !== whoOf(group)) this.#name(item.who, group);
    }
    setText(this.#count, events.length === 0 ? '' : `${counted(events.length, 'event')}, newest first`);
    setHidden(this.#empty, events.length > 0);
    setHidden(this.#missed, missed === 0);
    setText(this.#missed, `${counted(missed, 'event')} came and went before this page could be told.`);
  }

  /** @param {import('./happenings.js').Group} group */
  #create(group) {
    const { at, what, seq } = group;
    const who = make('span', { class: 'name' });
    const why = reasonOf(group);
    const tone = toneOf(what);
    const element = make(
      'li',
      { class: 'event', 'data-test': 'event', 'data-seq': String(seq), 'data-what': what, 'data-tone': tone },
      [
        make('time', { datetime: new Date(at).toISOString() }, [clock(at)]),
        make('span', { class: 'sign', 'aria-hidden': 'true' }, [SIGNS[tone] ?? '·']),
        make('p', {}, [
          who,
          ' ',
          make('span', { class: 'what' }, [verbOf(what)]),
          ...(why === '' ? [] : [make('span', { class: 'why' }, [why])]),
        ]),
      ],
    );
    this.#name(who, group);
    return { element, who };
  }

  /** Colours first, then all names: a sentence with dots in it can't be read. @param {HTMLElement} who @param {import('./happenings.js').Group} group */
  #name(who, group) {
    const dots = group.replicas.slice(0, NAMES_SHOWN).map((replica) => {
      const dot = make('i', { class: 'swatch', 'aria-hidden': 'true' });
      tint(dot, this.#colours.of(replica));
      return dot;
    });
    who.replaceChildren(...dots, whoOf(group));
    who.dataset['who'] = whoOf(group);
  }
}
