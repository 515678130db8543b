// @ts-check
import { count, percent } from './format.js';
import { arrange, make, need, setHidden, setText, tint } from './dom.js';

/** @typedef {import('./store.js').Snapshot} Snapshot */

/** The ring as a table: who has how much of the keys, and of the traffic just now. */
export class Shares {
  #section = need('shares-section', HTMLElement);
  #body = need('shares', HTMLElement);
  /** @type {Map<string, { element: HTMLElement, cells: HTMLElement[] }>} */
  #rows = new Map();
  #colours;
  #spotlight;

  /** @param {import('./colours.js').Colours} colours @param {import('./spotlight.js').Spotlight} spotlight */
  constructor(colours, spotlight) {
    this.#colours = colours;
    this.#spotlight = spotlight;
  }

  /** @param {Snapshot} snapshot */
  show({ replicas, totals }) {
    setHidden(this.#section, replicas.length === 0);
    arrange(
      this.#body,
      this.#rows,
      replicas.map(({ name }) => name),
      (name) => this.#create(name),
    );
    for (const replica of replicas) {
      const row = this.#rows.get(replica.name);
      const [keys, traffic, flight] = row?.cells ?? [];
      if (row === undefined || keys === undefined || traffic === undefined || flight === undefined) continue;
      setText(keys, replica.share > 0 ? percent(replica.share) : `– (${replica.state})`);
      setText(
        traffic,
        totals.requests_per_s > 0 ? percent(replica.requests_per_s / totals.requests_per_s) : '–',
      );
      setText(flight, count(replica.in_flight));
    }
  }

  /** @param {string} name */
  #create(name) {
    const cells = [0, 1, 2].map(() => make('td', { class: 'number' }));
    const head = make('th', { scope: 'row' }, [
      make('i', { class: 'swatch', 'aria-hidden': 'true' }),
      make('span', { class: 'name' }, [name]),
    ]);
    const element = make('tr', { 'data-replica': name }, [head, ...cells]);
    tint(element, this.#colours.of(name));
    this.#spotlight.follow(element, name);
    return { element, cells };
  }
}
