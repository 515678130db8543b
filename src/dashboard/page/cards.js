// @ts-check
import { sparkline } from './chart-data.js';
import { count, counted, duration, latency, percent, rate, silence } from './format.js';
import {
  arrange,
  icon,
  make,
  makeSvg,
  need,
  setAttribute,
  setHidden,
  setIcon,
  setText,
  tint,
} from './dom.js';

/** @typedef {import('./store.js').Snapshot} Snapshot */
/** @typedef {Snapshot['replicas'][number]} Replica */

/** @typedef {{ drain: (name: string) => void, weigh: (name: string) => void, kill: (name: string) => void }} Actions */

/** Up to here each card has room for all. */
const FEW = 12;

/** A heartbeat that is owed for this long is worth a word: it is asked for once a second. */
const SILENT_FROM_MS = 400;

const SPARK = { width: 120, height: 30, points: 120 };

/** @type {Readonly<Record<string, string>>} */
const STATE_WORDS = {
  ready: 'Ready',
  starting: 'Starting',
  ejected: 'Ejected',
  waiting: 'Waiting for restart',
  draining: 'Draining',
  gone: 'Gone',
};

/** @param {Replica} replica @param {string} filter in small letters */
function matches({ name, state }, filter) {
  return `${name} ${state} ${STATE_WORDS[state] ?? ''}`.toLowerCase().includes(filter);
}

/** Nothing of a weight of 1 that it has whole: most have. @param {Replica} replica */
function weightWords({ state, weight, effective_weight: now }) {
  const grows = state === 'ready' && now < weight;
  if (grows) return ` · starting slowly, weight ${Number(now.toFixed(2))} of ${weight}`;
  return weight === 1 ? '' : ` · weight ${weight}`;
}

class Card {
  #figures = new Map();
  #state = make('p', { class: 'state' });
  #stateIcon = icon('starting');
  #stateText = make('span');
  #why = make('p', { class: 'why' });
  #alarm = make('p', { class: 'alarm' });
  #about = make('p', { class: 'about' });
  #rate = make('span', { class: 'figure' });
  #line = makeSvg('path', { class: 'spark-line' });
  #weigh = make('button', { type: 'button', class: 'button quiet', 'data-test': 'weigh' }, ['Weight…']);
  #kill = make('button', { type: 'button', class: 'button quiet', 'data-test': 'kill' }, ['Kill']);
  #drain = make('button', { type: 'button', class: 'button quiet', 'data-test': 'drain' }, [
    'Drain',
    // Left out where all buttons have no room.
    make('span', { class: 'spare' }, [' and remove']),
    '…',
  ]);
  #gauge = make('i', { class: 'gauge', 'aria-hidden': 'true' });

  /**
   * @param {string} name
   * @param {{ light: string, dark: string }} colour
   * @param {Actions} actions
   */
  constructor(name, colour, { drain, weigh, kill }) {
    this.name = name;
    this.#state.append(this.#stateIcon, this.#stateText);
    this.#drain.setAttribute('aria-label', `Drain and remove ${name}…`);
    this.#weigh.setAttribute('aria-label', `Change the weight of ${name}…`);
    this.#kill.setAttribute('aria-label', `Kill ${name}`);
    this.#drain.addEventListener('click', () => drain(name));
    this.#weigh.addEventListener('click', () => weigh(name));
    this.#kill.addEventListener('click', () => kill(name));
    const spark = makeSvg(
      'svg',
      {
        class: 'spark',
        viewBox: `0 -1 ${SPARK.width} ${SPARK.height + 2}`,
        preserveAspectRatio: 'none',
        'aria-hidden': 'true',
      },
      [this.#line],
    );
    const facts = make('dl', { class: 'facts' });
    for (const [key, label] of /** @type {const} */ ([
      ['share', 'Share'],
      ['flight', 'In flight'],
      ['p50', 'p50'],
      ['p99', 'p99'],
      ['errors', 'Errors/s'],
      ['restarts', 'Restarts'],
    ])) {
      const value = make('dd', { 'data-test': key });
      this.#figures.set(key, value);
      facts.append(make('div', { class: `fact-${key}` }, [make('dt', {}, [label]), value]));
    }
    this.element = make('li', { class: 'card', 'data-replica': name, 'data-test': 'card' }, [
      this.#gauge,
      make('div', { class: 'card-head' }, [
        make('h3', {}, [
          make('i', { class: 'swatch', 'aria-hidden': 'true' }),
          make('span', { class: 'name', title: name }, [name]),
        ]),
        this.#state,
      ]),
      this.#why,
      this.#alarm,
      make('div', { class: 'pulse' }, [
        make('p', { class: 'rate' }, [this.#rate, make('span', { class: 'unit' }, [' requests/s'])]),
        spark,
      ]),
      facts,
      this.#about,
      make('div', { class: 'card-actions' }, [this.#drain, this.#weigh, this.#kill]),
    ]);
    tint(this.element, colour);
  }

  /**
   * @param {Replica} replica
   * @param {{ now: number, chaos: boolean, weighs: boolean, most: number, values: readonly (number | null)[] }} context
   *   `most`: the largest share; `weighs`: whether there are other weights than 1
   */
  show(replica, { now, chaos, weighs, most, values }) {
    const { state } = replica;
    setAttribute(this.element, 'data-state', state);
    // On the ring it is until it has missed enough, which is not to say that it is well.
    const silent = state === 'ready' && (replica.silent_ms >= SILENT_FROM_MS || replica.missed > 0);
    setAttribute(this.element, 'data-silent', silent ? '' : null);
    setIcon(this.#stateIcon, silent ? 'ejected' : state);
    const more = state === 'draining' ? `, ${count(replica.in_flight)} in flight` : silent ? ', silent' : '';
    setText(this.#stateText, `${STATE_WORDS[state] ?? state}${more}`);
    const why = replica.why === '' ? '' : `${replica.why} · `;
    setText(this.#why, `${why}${duration(now - replica.since)} ago`);
    const alarms = [
      replica.silent_ms >= SILENT_FROM_MS ? `no answer for ${silence(replica.silent_ms)}` : '',
      replica.missed > 0 ? `${counted(replica.missed, 'heartbeat')} missed` : '',
    ].filter((part) => part !== '');
    const alarm = alarms.join(', ');
    setText(this.#alarm, alarm === '' ? '' : (alarm[0] ?? '').toUpperCase() + alarm.slice(1));
    setText(this.#rate, rate(replica.requests_per_s));
    setAttribute(this.#line, 'd', sparkline(values, SPARK));
    setText(this.#figures.get('share'), replica.share > 0 ? percent(replica.share) : '–');
    setText(this.#figures.get('flight'), count(replica.in_flight));
    setText(this.#figures.get('p50'), latency(replica.p50_ms));
    setText(this.#figures.get('p99'), latency(replica.p99_ms));
    setText(this.#figures.get('errors'), rate(replica.errors_per_s));
    setAttribute(this.#figures.get('errors'), 'data-bad', replica.errors_per_s > 0 ? '' : null);
    setText(this.#figures.get('restarts'), count(replica.restarts));
    const age =
      replica.started_at === null ? 'age unknown' : `instance ${duration(now - replica.started_at)} old`;
    const weight = weightWords(replica);
    setText(this.#about, `${replica.address ?? 'no address'} · ${age}${weight}`);
    this.#gauge.style.width = `${most > 0 ? ((replica.share / most) * 100).toFixed(1) : 0}%`;
    this.#drain.disabled = state === 'draining' || state === 'gone';
    this.#weigh.disabled = state === 'draining' || state === 'gone';
    setHidden(this.#weigh, !weighs);
    this.#kill.disabled = state === 'waiting' || state === 'gone';
    setHidden(this.#kill, !chaos);
    setAttribute(this.element, 'data-chaos', chaos ? '' : null);
  }
}

/** A card for each replica. */
export class Cards {
  #list = need('cards', HTMLElement);
  #empty = need('replicas-empty', HTMLElement);
  #count = need('replicas-count', HTMLElement);
  #filter = need('filter', HTMLInputElement);
  #filterBox = need('filter-box', HTMLElement);
  #colours;
  #spotlight;
  #actions;
  /** @type {Map<string, Card>} */
  #cards = new Map();
  /** @type {(() => void) | null} */
  #again = null;

  /**
   * @param {object} options
   * @param {import('./colours.js').Colours} options.colours
   * @param {import('./spotlight.js').Spotlight} options.spotlight
   * @param {Actions} options.actions
   */
  constructor({ colours, spotlight, actions }) {
    this.#colours = colours;
    this.#spotlight = spotlight;
    this.#actions = actions;
    this.#filter.addEventListener('input', () => this.#again?.());
  }

  /** @param {Snapshot} snapshot @param {number} now Unix ms, by the server's clock @param {Record<string, readonly (number | null)[]>} samples */
  show(snapshot, now, samples) {
    this.#again = () => this.show(snapshot, now, samples);
    const { replicas, chaos, ring } = snapshot;
    const weighs = ring.algorithm !== 'course';
    const many = replicas.length > FEW;
    setAttribute(document.body, 'data-size', many ? 'many' : 'few');
    setHidden(this.#filterBox, !many && this.#filter.value === '');
    const filter = this.#filter.value.trim().toLowerCase();
    const shown = replicas.filter((replica) => filter === '' || matches(replica, filter));
    arrange(
      this.#list,
      this.#cards,
      shown.map(({ name }) => name),
      (name) => this.#create(name),
    );
    const most = Math.max(0, ...replicas.map(({ share }) => share));
    for (const replica of shown)
      this.#cards
        .get(replica.name)
        ?.show(replica, { now, chaos, weighs, most, values: samples[replica.name] ?? [] });
    setText(
      this.#count,
      shown.length === replicas.length
        ? replicas.length === 0
          ? ''
          : `${count(replicas.length)} in joining order`
        : `${count(shown.length)} of ${count(replicas.length)}`,
    );
    setHidden(this.#list, shown.length === 0);
    setHidden(this.#empty, shown.length > 0);
    setText(
      this.#empty,
      replicas.length === 0
        ? 'There is no replica, so no request can be answered. Start some with “Add…”, or with POST /add {"n":3}.'
        : 'None is called so, and none is in such a state.',
    );
  }

  /** @param {string} name */
  #create(name) {
    const card = new Card(name, this.#colours.of(name), this.#actions);
    this.#spotlight.follow(card.element, name);
    return card;
  }
}
