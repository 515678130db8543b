// @ts-check
import uPlot from './uplot.js';
import { SPAN_MAX_S, spanOf, stacked, withGaps } from './chart-data.js';
import { clock, count, duration, latency, rate } from './format.js';
import { make, need, setAttribute, setText, tint } from './dom.js';
import { mixed } from './colours.js';
import { font, inkOf, now, onScheme } from './theme.js';

/** @typedef {import('./store.js').Columns} Columns */
/** @typedef {import('./chart-data.js').Column} Column */

/** With more replicas than these, layers can't be told apart: then there is the total, and who is looked at. */
const STACKED_MAX = 12;

/** How much of its colour the area under a line has: a layer is known by it, a wash only leans on its line. */
const LAYER = 0.6;
const WASH = 0.12;

/** At its right end, as a part of its width, a chart has no room for a label. */
const LABEL_ROOM = 0.03;

/** How long a time a chart shows, in s. @param {uPlot} u */
const span = (u) => (u.scales['x']?.max ?? 0) - (u.scales['x']?.min ?? 0);

/** Steps of an axis that counts. */
const WHOLE_STEPS = [1, 10, 100, 1000, 10_000].flatMap((step) => [step, 2 * step, 5 * step]);

/** One cursor for all charts. */
const SYNC = 'traffic';

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {'plot' | 'plot-2' | 'plot-3' | 'bad'} ink
 * @property {boolean} [filled]
 * @property {{ light: string, dark: string }} [colour] a replica's, in place of `ink`
 * @property {boolean} [hidden] has no word in the legend
 */

/**
 * @typedef {object} Panel
 * @property {string} id
 * @property {string} title
 * @property {string} unit
 * @property {number} height
 * @property {(value: number | null | undefined) => string} format
 * @property {boolean} [whole] there are no halves of what it counts
 */

/** @type {readonly Panel[]} */
const PANELS = [
  { id: 'requests', title: 'Requests', unit: 'per second', height: 200, format: rate },
  { id: 'latency', title: 'Latency', unit: 'p50 and p99', height: 140, format: latency },
  { id: 'errors', title: 'Errors', unit: 'per second', height: 100, format: rate },
  { id: 'flight', title: 'In flight', unit: 'requests', height: 124, format: count, whole: true },
];

/** One chart with its heading and its own legend, which says what the cursor is at. */
class Chart {
  #panel;
  #last;
  #plotBox = make('div', { class: 'plot', role: 'img' });
  #legend = make('ul', { class: 'legend' });
  #when = make('span', { class: 'when' });
  /** @type {uPlot | null} */
  #plot = null;
  #key = '';
  /** @type {Line[]} */
  #lines = [];
  /** @type {HTMLElement[]} */
  #values = [];
  /** What is drawn, and what it stands for: a layer is drawn higher than its own value. @type {[number[], ...Column[]]} */
  #drawn = [[]];
  /** @type {Column[]} */
  #meant = [];

  /** @param {Panel} panel @param {boolean} last whether it carries the time for all */
  constructor(panel, last) {
    this.#panel = panel;
    this.#last = last;
    this.element = make(
      'section',
      { class: 'chart', 'aria-labelledby': `h-chart-${panel.id}`, 'data-test': `chart-${panel.id}` },
      [
        make('div', { class: 'chart-head' }, [
          make('h3', { id: `h-chart-${panel.id}` }, [
            panel.title,
            make('span', { class: 'unit' }, [` ${panel.unit}`]),
          ]),
          this.#when,
          this.#legend,
        ]),
        this.#plotBox,
      ],
    );
    new ResizeObserver(() => this.#resize()).observe(this.#plotBox);
  }

  /**
   * @param {[number[], ...Column[]]} drawn
   * @param {readonly Column[]} meant
   * @param {readonly Line[]} lines
   */
  show(drawn, meant, lines) {
    this.#drawn = drawn;
    this.#meant = [...meant];
    const key = lines.map(({ label, hidden }) => `${label}${hidden === true ? ' hidden' : ''}`).join('\n');
    if (this.#plot === null || key !== this.#key) {
      this.#key = key;
      this.#lines = [...lines];
      this.rebuild();
    } else this.#plot.setData(drawn);
    this.#read();
  }

  rebuild() {
    this.#plot?.destroy();
    this.#plot = null;
    const width = this.#plotBox.clientWidth;
    if (width > 0) this.#plot = new uPlot(this.#options(width), this.#drawn, this.#plotBox);
    this.#values = this.#lines.map(() => make('span', { class: 'value' }));
    this.#legend.replaceChildren(
      ...this.#lines
        .flatMap((line, i) => {
          if (line.hidden === true) return [];
          const mark = make('i', {
            class: line.colour ? 'swatch' : `line-mark ${line.ink}`,
            'aria-hidden': 'true',
          });
          const item = make('li', {}, [
            mark,
            make('span', { class: 'name' }, [line.label]),
            ' ',
            this.#values[i] ?? '',
          ]);
          if (line.colour) tint(item, line.colour);
          return [item];
        })
        .toReversed(),
    );
    this.#read();
  }

  /** @param {number | null} at s; null: the newest */
  moveTo(at) {
    const plot = this.#plot;
    if (plot === null) return;
    if (at === null) plot.setCursor({ left: -10, top: -10 });
    else plot.setCursor({ left: plot.valToPos(at, 'x'), top: plot.over.clientHeight / 2 });
  }

  #resize() {
    const width = this.#plotBox.clientWidth;
    if (width === 0) return;
    if (this.#plot === null) this.rebuild();
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height: this.#panel.height });
  }

  /** Writes what is at the cursor, or what is newest. */
  #read() {
    const index = this.#plot?.cursor.idx ?? null;
    const times = this.#drawn[0];
    const at = index ?? times.length - 1;
    const time = times[at];
    setText(this.#when, index === null || time === undefined ? '' : clock(time * 1000));
    const texts = this.#lines.map((_, i) => this.#panel.format(this.#meant[i]?.[at]));
    for (const [i, element] of this.#values.entries()) setText(element, texts[i] ?? '');
    if (index !== null) return;
    const said = this.#lines
      .flatMap(({ label, hidden }, i) => (hidden === true ? [] : [`${label} ${texts[i]}`]))
      .join(', ');
    setAttribute(
      this.#plotBox,
      'aria-label',
      `${this.#panel.title}, ${this.#panel.unit}; now: ${said || 'nothing known'}`,
    );
  }

  /** @param {number} width @returns {uPlot.Options} */
  #options(width) {
    const [faint, line] = [inkOf('ink-3'), inkOf('line')];
    const { format, height, whole = false } = this.#panel;
    const axis = { stroke: faint, font: font(11), ticks: { show: false }, grid: { stroke: line, width: 1 } };
    return {
      width,
      height,
      padding: [10, 2, this.#last ? 0 : 6, 0],
      legend: { show: false },
      cursor: {
        sync: { key: SYNC, setSeries: false },
        drag: { x: false, y: false },
        y: false,
        points: { size: 6 },
      },
      scales: {
        x: { time: true, range: (u) => spanOf(Array.from(u.data[0] ?? [], (s) => s * 1000)) },
        y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.12 : 1] },
      },
      axes: [
        {
          ...axis,
          show: true,
          size: this.#last ? 26 : 0,
          values: (u, splits) =>
            splits.map((s) =>
              this.#last && s < (u.scales['x']?.max ?? 0) - LABEL_ROOM * span(u)
                ? clock(s * 1000).slice(0, 5)
                : '',
            ),
          space: 70,
          incrs: [60, 120, 180, 300],
        },
        {
          ...axis,
          size: 54,
          gap: 8,
          values: (_u, splits) => splits.map((value) => (value === 0 ? '0' : format(value))),
          space: 32,
          ...(whole ? { incrs: WHOLE_STEPS } : {}),
        },
      ],
      series: [{}, ...this.#lines.map((one) => this.#series(one))],
      hooks: { setCursor: [() => this.#read()] },
    };
  }

  /** @param {Line} line @returns {uPlot.Series} */
  #series({ label, ink, filled = false, colour }) {
    const stroke = colour ? now(colour) : inkOf(ink);
    return {
      label,
      stroke,
      width: ink === 'plot-2' ? 1 : 1.5,
      points: { show: false },
      spanGaps: false,
      ...(filled ? { fill: mixed(stroke, inkOf('paper'), colour ? LAYER : WASH) } : {}),
    };
  }
}

/** The last quarter of an hour. */
export class Charts {
  #charts = PANELS.map((panel, i) => new Chart(panel, i === PANELS.length - 1));
  #span = need('charts-span', HTMLElement);
  #scrub = need('scrub', HTMLInputElement);
  #scrubAt = need('scrub-at', HTMLElement);
  #colours;
  #spotlight;
  #revision = -1;
  /** @type {Columns | null} */
  #samples = null;
  /** @type {readonly string[]} */
  #present = [];

  /** @param {import('./colours.js').Colours} colours @param {import('./spotlight.js').Spotlight} spotlight */
  constructor(colours, spotlight) {
    this.#colours = colours;
    this.#spotlight = spotlight;
    need('charts', HTMLElement).append(...this.#charts.map(({ element }) => element));
    onScheme(() => {
      for (const chart of this.#charts) chart.rebuild();
    });
    spotlight.listen(() => {
      if (this.#samples !== null) this.#showRequests(this.#samples);
    });
    this.#scrub.addEventListener('input', () => this.#read());
    this.#scrub.addEventListener('blur', () => {
      this.#scrub.value = this.#scrub.max;
      this.#read();
    });
  }

  /** @param {import('./store.js').Store} store */
  show({ samples, samplesRevision, snapshot }) {
    if (samplesRevision === this.#revision) return;
    this.#revision = samplesRevision;
    this.#samples = samples;
    this.#present = snapshot?.replicas.map(({ name }) => name) ?? [];
    this.#showRequests(samples);
    const show = (/** @type {number} */ i, /** @type {Column[]} */ columns, /** @type {Line[]} */ lines) => {
      const drawn = withGaps(samples.at, columns);
      this.#charts[i]?.show(drawn, /** @type {Column[]} */ (drawn.slice(1)), lines);
    };
    show(
      1,
      [samples.p99_ms, samples.p50_ms],
      [
        { label: 'p99', ink: 'plot-2', filled: true },
        { label: 'p50', ink: 'plot' },
      ],
    );
    show(2, [samples.errors_per_s], [{ label: 'all', ink: 'bad', filled: true }]);
    show(3, [samples.in_flight], [{ label: 'all', ink: 'plot', filled: true }]);
    const [from, to] = spanOf(samples.at);
    setText(
      this.#span,
      samples.at.length === 0
        ? 'nothing recorded yet'
        : `last ${duration(Math.min(SPAN_MAX_S, to - from) * 1000)}`,
    );
    if (document.activeElement === this.#scrub) this.#read();
  }

  /** @param {Columns} samples */
  #showRequests(samples) {
    const lit = this.#spotlight.name;
    const gone = Object.keys(samples.by_replica).filter((name) => !this.#present.includes(name));
    const names = [...this.#present, ...gone].filter((name) => samples.by_replica[name] !== undefined);
    const column = (/** @type {string} */ name) => samples.by_replica[name] ?? [];
    if (names.length > STACKED_MAX) {
      const one = lit !== null && names.includes(lit) ? [lit] : [];
      const drawn = withGaps(samples.at, [samples.requests_per_s, ...one.map(column)]);
      this.#charts[0]?.show(drawn, /** @type {Column[]} */ (drawn.slice(1)), [
        { label: 'all', ink: 'plot', filled: true },
        ...one.map((label) => ({
          label,
          ink: /** @type {const} */ ('plot'),
          filled: true,
          colour: this.#colours.of(label),
        })),
      ]);
      return;
    }
    // The uppermost layer comes first, as each covers what is below it.
    const meant = withGaps(samples.at, names.map(column));
    const [times, ...own] = meant;
    const layers = stacked(own);
    this.#charts[0]?.show(
      [times, ...layers.toReversed()],
      own.toReversed(),
      names
        .map((label) => ({
          label,
          ink: /** @type {const} */ ('plot'),
          filled: true,
          colour: this.#colours.of(label),
        }))
        .toReversed(),
    );
  }

  #read() {
    const at = this.#samples?.at ?? [];
    const part = this.#scrub.valueAsNumber / Number(this.#scrub.max);
    const [from, to] = spanOf(at);
    const moment = part >= 1 || at.length === 0 ? null : from + (to - from) * part;
    const said = moment === null ? 'now' : clock(moment * 1000);
    setAttribute(this.#scrub, 'aria-valuetext', said);
    setText(this.#scrubAt, said);
    for (const chart of this.#charts) chart.moveTo(moment);
  }
}
