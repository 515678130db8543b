// @ts-check
import { clock, count, counted, duration, latencyParts, list, rate } from './format.js';
import { arrange, icon, make, need, setAttribute, setIcon, setText } from './dom.js';
import { OLD_AFTER_MS } from './stream.js';

/** @typedef {import('./store.js').Snapshot} Snapshot */
/** @typedef {import('./stream.js').News} News */

const CHIP_ICONS = {
  connecting: 'starting',
  starting: 'starting',
  live: 'live',
  stale: 'waiting',
  lost: 'lost',
};

/**
 * What the chip says.
 *
 * @param {{ news: News, ageMs: number, asOf: number | null, ready: number | null, crowded: boolean }} known `asOf`: Unix ms here
 */
function chipText({ news, ageMs, asOf, ready, crowded }) {
  const since = asOf === null ? '' : clock(asOf);
  switch (news) {
    case 'connecting':
      return 'Connecting';
    case 'starting':
      return crowded ? 'Too many pages are open: close some' : 'Starting';
    case 'live':
      return ready === 0 ? 'Live, none ready' : 'Live';
    case 'stale':
      return `Stale — as of ${since}, ${duration(ageMs)} ago`;
    case 'lost':
      return `Connection lost — trying again, last news ${since}`;
  }
}

/** A number and its unit, which is set smaller. @param {HTMLElement} element @param {string} number @param {string} [unit] */
function setVital(element, number, unit = '') {
  let [first, second] = element.children;
  if (first === undefined || second === undefined) {
    first = make('span', { class: 'figure' });
    second = make('span', { class: 'unit' });
    element.replaceChildren(first, ' ', second);
  }
  setText(first, number);
  setText(second, unit);
}

/** Who Ringmaster is, how fresh the page is, and the numbers that matter most. */
export class Header {
  #build = need('build', HTMLElement);
  #chip = need('state', HTMLElement);
  #chipText = need('state-text', HTMLElement);
  #chipIcon = /** @type {SVGElement} */ (this.#chip.querySelector('svg'));
  #banner = need('banner', HTMLElement);
  /** @type {Map<string, { element: HTMLElement, text: HTMLElement }>} */
  #lines = new Map();

  /** @param {Snapshot | null} snapshot @param {number} now Unix ms, by the server's clock */
  show(snapshot, now) {
    const totals = snapshot?.totals;
    const known = snapshot?.replicas;
    const ready = known?.filter(({ state }) => state === 'ready').length;
    setVital(
      need('v-ready', HTMLElement),
      count(ready),
      known === undefined ? '' : `of ${count(known.length)}`,
    );
    setVital(need('v-requests', HTMLElement), rate(totals?.requests_per_s), '/s');
    setVital(need('v-errors', HTMLElement), rate(totals?.errors_per_s), '/s');
    setAttribute(need('v-errors', HTMLElement), 'data-bad', (totals?.errors_per_s ?? 0) > 0 ? '' : null);
    setAttribute(
      need('v-ready', HTMLElement),
      'data-bad',
      ready !== undefined && ready < (known?.length ?? 0) ? '' : null,
    );
    setVital(need('v-p50', HTMLElement), ...latencyParts(totals?.p50_ms));
    setVital(need('v-p99', HTMLElement), ...latencyParts(totals?.p99_ms));
    setVital(need('v-in-flight', HTMLElement), count(totals?.in_flight));
    const clients = totals?.clients;
    const all = clients && clients.active + clients.idle + clients.tunnel;
    setVital(
      need('v-clients', HTMLElement),
      count(all),
      clients
        ? `${count(clients.active)} active, ${count(clients.idle)} idle, ${count(clients.tunnel)} tunnel`
        : '',
    );
    if (snapshot === null) return;
    const { version, runtime, traffic_port: port, started_at: startedAt } = snapshot.ringmaster;
    setText(
      this.#build,
      [
        version,
        runtime,
        port === null ? 'no traffic port' : `traffic on port ${port}`,
        `up ${duration(now - startedAt)}`,
      ].join(' · '),
    );
  }

  /** @param {{ news: News, ageMs: number, asOf: number | null, snapshot: Snapshot | null, crowded: boolean }} known `crowded`: Ringmaster is ready, and tells enough others */
  freshness({ news, ageMs, asOf, snapshot, crowded }) {
    const ready = snapshot?.replicas.filter(({ state }) => state === 'ready').length ?? null;
    const starting =
      news === 'live' && ready === 0 && snapshot?.replicas.some(({ state }) => state === 'starting');
    /** @type {News} */
    const shown = starting ? 'starting' : news;
    setText(this.#chipText, chipText({ news: shown, ageMs, asOf, ready, crowded }));
    setIcon(this.#chipIcon, CHIP_ICONS[shown]);
    setAttribute(this.#chip, 'data-news', shown);
    setAttribute(this.#chip, 'data-none', shown === 'live' && ready === 0 ? '' : null);
    setAttribute(document.body, 'data-news', shown);
    const old = (news === 'stale' || news === 'lost') && ageMs > OLD_AFTER_MS;
    setAttribute(document.body, 'data-old', old ? '' : null);
    const all = snapshot?.replicas.length ?? 0;
    const title =
      news === 'live'
        ? `${ready} of ${all} ready`
        : { connecting: 'connecting', starting: 'starting', stale: 'stale', lost: 'connection lost' }[news];
    if (document.title !== `Ringmaster: ${title}`) document.title = `Ringmaster: ${title}`;
    this.#warn(snapshot, old ? asOf : null);
  }

  /** @param {Snapshot | null} snapshot @param {number | null} oldSince Unix ms; null: the news is fresh */
  #warn(snapshot, oldSince) {
    /** @type {Record<string, string>} */
    const lines = {};
    if (oldSince !== null)
      lines['old'] = `All that is shown is as of ${clock(oldSince)}. It may no longer be so.`;
    if (snapshot !== null && !snapshot.engine_answers)
      lines['engine'] =
        'The engine that runs the replicas does not answer. Traffic goes on; nothing can be started, healed or removed until it is back.';
    const silent = snapshot?.peers.filter(({ answers }) => !answers).map(({ url }) => url) ?? [];
    const others =
      snapshot?.peers.filter(({ answers, agrees }) => answers && !agrees).map(({ url }) => url) ?? [];
    if (silent.length > 0)
      lines['silent'] = `${counted(silent.length, 'other Ringmaster')} not answering: ${list(silent)}.`;
    if (others.length > 0)
      lines['disagrees'] =
        `Not the same ring on ${list(others)}: a key may have two owners until they agree.`;
    arrange(this.#banner, this.#lines, Object.keys(lines), (key) => {
      const text = make('span');
      return {
        element: make('p', { class: 'banner-line', 'data-about': key }, [icon('ejected'), text]),
        text,
      };
    });
    for (const [key, { text }] of this.#lines) setText(text, lines[key] ?? '');
  }
}
