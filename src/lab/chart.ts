/**
 * Charts as SVG: each a function from figures to a picture. Wide enough for a phone held upright, so that letters stay
 * readable there; colours are classes of the page, which knows light from dark, and what a colour says a label or a shape
 * says too.
 */
import { markup, type Markup } from './markup.ts';

const WIDTH = 420;
/** At least: more where values have more digits. */
const LEFT_MIN = 34;
const RIGHT = 12;
/** Has room for what the axis is called, and for a value above the highest column. */
const TOP = 28;
/** From here on numbers of an axis are written in thousands and millions. */
const COMPACT_FROM = 100_000;
const PLOT_HEIGHT = 190;
const LINE = 15;
/** Of a character at the size of the charts, at most about. */
const CHAR_WIDTH = 6.6;
/** Of a digit, in parts of the size of its letters, at most about. */
const DIGIT_WIDTH = 0.6;
/** Letters of values above columns: as large as columns leave room for. */
const VALUE_SIZE_MAX = 9.5;
const VALUE_SIZE_MIN = 6;
/** Between two of them, in pixels at least where there is room. */
const VALUE_GAP = 3;
const TICKS = 5;

export interface Caption {
  readonly id: string;
  readonly title: string;
  /** What is to be seen, for who does not see it. */
  readonly description: string;
}

/** A picture, and what it is called. */
export interface Chart {
  readonly svg: Markup;
  readonly title: string;
}

function chartOf({ id, title, description }: Caption, height: number, body: Markup): Chart {
  const svg = markup`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${WIDTH} ${round(height)}" role="img" aria-labelledby="${id}-title ${id}-desc"><title id="${id}-title">${title}</title><desc id="${id}-desc">${description}</desc>${body}</svg>`;
  return { svg, title };
}

/** Round values from 0 to at least `max`, about five of them. */
export function ticksTo(max: number): number[] {
  if (!(max > 0)) return [0, 1];
  const rough = max / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9)) ?? 10) * power;
  return Array.from({ length: Math.ceil(max / step - 1e-9) + 1 }, (_, i) =>
    Number((i * step).toPrecision(12)),
  );
}

/** Powers of ten from one at or below `min` to one at or above `max`. */
export function decades(min: number, max: number): number[] {
  const from = Math.floor(Math.log10(min) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(max) - 1e-9));
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
}

interface Axis {
  readonly ticks: readonly number[];
  /** From a value to where it is, in pixels from the top. */
  readonly y: (value: number) => number;
  /** Where the plot begins, in pixels: right of what is written beside it. */
  readonly left: number;
}

function leftOf(ticks: readonly number[]): number {
  const longest = Math.max(...ticks.map((tick) => tickText(tick).length));
  return Math.max(LEFT_MIN, 10 + longest * CHAR_WIDTH);
}

function tickText(tick: number): string {
  return tick < COMPACT_FROM ? figure(tick) : tick.toLocaleString('en', { notation: 'compact' });
}

function linearAxis(max: number): Axis {
  const ticks = ticksTo(max);
  const top = ticks.at(-1) as number;
  return { ticks, y: (value) => TOP + PLOT_HEIGHT * (1 - value / top), left: leftOf(ticks) };
}

/** A value of 0 has no place on it, and is drawn at the bottom. */
function logAxis(values: readonly number[]): Axis {
  const positive = values.filter((value) => value > 0);
  const ticks = decades(Math.min(...positive, 1e9), Math.max(...positive, 1e-9));
  const [low, high] = [Math.log10(ticks[0] as number), Math.log10(ticks.at(-1) as number)];
  const part = (value: number): number =>
    value > 0 ? Math.max(0, (Math.log10(value) - low) / (high - low)) : 0;
  return { ticks, y: (value) => TOP + PLOT_HEIGHT * (1 - part(value)), left: leftOf(ticks) };
}

/** Lines across, with their values, and what is measured along them above. */
function grid({ ticks, y, left }: Axis, yLabel: string): Markup {
  return markup`<text class="label" x="${round(left)}" y="12">${yLabel}</text>${ticks.map(
    (tick) =>
      markup`<line class="grid" x1="${round(left)}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="tick" x="${round(left - 6)}" y="${round(y(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`,
  )}`;
}

export interface ColumnGroup {
  readonly label: string;
  readonly columns: readonly { readonly label: string; readonly value: number; readonly colour: string }[];
}

export interface Columns extends Caption {
  readonly groups: readonly ColumnGroup[];
  /** A line across, as for what is expected. */
  readonly reference?: { readonly value: number; readonly label: string };
  readonly yLabel: string;
}

/** Columns in groups, each with its value above and its label in it or below. */
export function columnChart({ groups, reference, yLabel, ...caption }: Columns): Chart {
  const values = groups.flatMap(({ columns }) => columns.map(({ value }) => value));
  const axis = linearAxis(Math.max(...values, reference?.value ?? 0));
  const bottom = TOP + PLOT_HEIGHT;
  const { left: begin } = axis;
  const groupWidth = (WIDTH - begin - RIGHT) / Math.max(1, groups.length);
  const placed = groups.map(({ label, columns }, g) => {
    const left = begin + g * groupWidth + groupWidth * 0.08;
    const width = (groupWidth * 0.84) / Math.max(1, columns.length);
    return {
      label,
      middle: begin + (g + 0.5) * groupWidth,
      columns: columns.map((one, i) => ({ ...one, x: left + i * width, y: axis.y(one.value), width })),
    };
  });
  const bars = placed.flatMap(({ columns }) =>
    columns.map(
      ({ colour, x, y, width }) =>
        markup`<rect class="fill ${colour}" x="${round(x + 1)}" y="${round(y)}" width="${round(Math.max(1, width - 2))}" height="${round(bottom - y)}"/>`,
    ),
  );
  const digits = Math.max(1, ...values.map((value) => figure(Math.round(value)).length));
  const room = Math.min(...placed.flatMap(({ columns }) => columns.map(({ width }) => width)));
  const size = Math.max(
    VALUE_SIZE_MIN,
    Math.min(VALUE_SIZE_MAX, (room - VALUE_GAP) / (digits * DIGIT_WIDTH)),
  );
  const lineY = reference && axis.y(reference.value);
  /** Above the column, and where the line would go through it above that. */
  const valueY = (y: number): number =>
    lineY !== undefined && y > lineY && y - size < lineY + 3 ? lineY - 3 : y - 3;
  const texts = placed.map(({ label, middle, columns }) => {
    const own = columns.map(
      ({ label: name, value, x, y, width }) =>
        markup`<text class="value" style="font-size:${round(size)}px" x="${round(x + width / 2)}" y="${round(valueY(y))}" text-anchor="middle">${figure(Math.round(value))}</text><text class="tick" x="${round(x + width / 2)}" y="${round(bottom + LINE)}" text-anchor="middle">${name}</text>`,
    );
    return markup`${own}<text class="label" x="${round(middle)}" y="${round(bottom + 2 * LINE + 2)}" text-anchor="middle">${label}</text>`;
  });
  const across =
    reference &&
    markup`<line class="reference" x1="${round(begin)}" x2="${WIDTH - RIGHT}" y1="${round(axis.y(reference.value))}" y2="${round(axis.y(reference.value))}"/><text class="reference-label" x="${WIDTH - RIGHT}" y="${round(bottom + 3 * LINE + 8)}" text-anchor="end">- - -  ${reference.label}</text>`;
  // Values come last, so that no line goes through them.
  return chartOf(caption, bottom + 3 * LINE + 16, markup`${grid(axis, yLabel)}${bars}${across}${texts}`);
}

export interface Series {
  readonly label: string;
  readonly colour: string;
  /** Drawn dashed and without marks, as for what is expected. */
  readonly expected?: boolean;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Lines extends Caption {
  readonly series: readonly Series[];
  readonly xLabel: string;
  readonly yLabel: string;
  readonly scale: 'linear' | 'log';
}

const MARKS = ['circle', 'square', 'diamond', 'triangle'] as const;
const MARK_RADIUS = 4;

/** Lines with a mark of its own shape for each series, and a legend below. */
export function lineChart({ series, xLabel, yLabel, scale, ...caption }: Lines): Chart {
  const points = series.flatMap((one) => one.points);
  const values = points.map(({ y }) => y);
  const axis = scale === 'log' ? logAxis(values) : linearAxis(Math.max(...values, 0));
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const [first = 0, last = 1] = [xs[0], xs.at(-1)];
  const inset = 18;
  const { left } = axis;
  const room = WIDTH - left - RIGHT - 2 * inset;
  const x = (value: number): number =>
    left + inset + (first === last ? room / 2 : ((value - first) / (last - first)) * room);
  const bottom = TOP + PLOT_HEIGHT;
  const ticks = xs.map(
    (value) =>
      markup`<text class="tick" x="${round(x(value))}" y="${bottom + LINE}" text-anchor="middle">${value}</text>`,
  );
  const drawn = series.map(({ colour, expected = false, points: own }, i) => {
    const path = own.map((point) => `${round(x(point.x))},${round(axis.y(point.y))}`).join(' ');
    const line = markup`<polyline class="line ${colour}${expected ? ' expected' : ''}" points="${path}"/>`;
    if (expected) return line;
    return markup`${line}${own.map((point) => mark(i, x(point.x), axis.y(point.y), colour))}`;
  });
  const legendTop = bottom + 3 * LINE;
  const legend = legendOf(series, legendTop, left);
  return chartOf(
    caption,
    legend.bottom + 4,
    markup`${grid(axis, yLabel)}${ticks}<text class="label" x="${WIDTH - RIGHT}" y="${round(bottom + 2 * LINE)}" text-anchor="end">${xLabel}</text>${drawn}${legend.drawn}`,
  );
}

function mark(series: number, x: number, y: number, colour: string): Markup {
  const r = MARK_RADIUS;
  const at = (dx: number, dy: number): string => `${round(x + dx)},${round(y + dy)}`;
  switch (MARKS[series % MARKS.length]) {
    case 'square':
      return markup`<rect class="fill ${colour}" x="${round(x - r)}" y="${round(y - r)}" width="${2 * r}" height="${2 * r}"/>`;
    case 'diamond':
      return markup`<polygon class="fill ${colour}" points="${at(0, -r - 1)} ${at(r + 1, 0)} ${at(0, r + 1)} ${at(-r - 1, 0)}"/>`;
    case 'triangle':
      return markup`<polygon class="fill ${colour}" points="${at(0, -r - 1)} ${at(r + 1, r)} ${at(-r - 1, r)}"/>`;
    default:
      return markup`<circle class="fill ${colour}" cx="${round(x)}" cy="${round(y)}" r="${r}"/>`;
  }
}

function legendOf(series: readonly Series[], top: number, left: number): { drawn: Markup[]; bottom: number } {
  let [x, y] = [left, top + 4];
  const drawn = series.map(({ label, colour, expected = false }, i) => {
    const width = 30 + label.length * CHAR_WIDTH;
    if (x > left && x + width > WIDTH) [x, y] = [left, y + LINE + 2];
    const sign = expected
      ? markup`<line class="line ${colour} expected" x1="${round(x)}" x2="${round(x + 16)}" y1="${round(y)}" y2="${round(y)}"/>`
      : mark(i, x + 8, y, colour);
    const entry = markup`${sign}<text class="tick" x="${round(x + 20)}" y="${round(y + 4)}">${label}</text>`;
    x += width;
    return entry;
  });
  return { drawn, bottom: y + LINE / 2 };
}

export interface Row {
  readonly label: string;
  readonly value: number;
  readonly colour: string;
  /** As it is written beside the bar. */
  readonly text: string;
  /** Another value of the same row, as a stroke. */
  readonly stroke?: number;
}

export interface Rows extends Caption {
  readonly rows: readonly Row[];
  /** A line from top to bottom. */
  readonly reference?: { readonly value: number; readonly label: string };
}

const ROW_HEIGHT = 34;

/** Bars that lie, each below its label: for labels that are words. */
export function rowChart({ rows, reference, ...caption }: Rows): Chart {
  const max = Math.max(...rows.flatMap(({ value, stroke = 0 }) => [value, stroke]), reference?.value ?? 0);
  const texts = Math.max(0, ...rows.map(({ text }) => text.length));
  const room = WIDTH - 2 * RIGHT - texts * CHAR_WIDTH;
  const x = (value: number): number => RIGHT + (max > 0 ? (value / max) * room : 0);
  const drawn = rows.map(({ label, value, colour, text, stroke }, i) => {
    const top = 4 + i * ROW_HEIGHT;
    const end = Math.max(x(value), x(stroke ?? 0));
    return markup`<text class="tick" x="${RIGHT}" y="${round(top + 11)}">${label}</text><rect class="fill ${colour}" x="${RIGHT}" y="${round(top + 15)}" width="${round(Math.max(1, x(value) - RIGHT))}" height="13"/>${
      stroke === undefined
        ? undefined
        : markup`<line class="stroke" x1="${round(x(stroke))}" x2="${round(x(stroke))}" y1="${round(top + 13)}" y2="${round(top + 30)}"/>`
    }<text class="value" x="${round(end + 6)}" y="${round(top + 26)}">${text}</text>`;
  });
  const bottom = 4 + rows.length * ROW_HEIGHT;
  const line =
    reference &&
    markup`${rows.map((_, i) => {
      // Not through the labels.
      const top = 4 + i * ROW_HEIGHT;
      const at = round(x(reference.value));
      return markup`<line class="reference" x1="${at}" x2="${at}" y1="${top + 15}" y2="${top + 28}"/>`;
    })}<text class="reference-label" x="${RIGHT}" y="${bottom + LINE}">- - -  ${reference.label}</text>`;
  return chartOf(caption, bottom + (reference === undefined ? 4 : LINE + 8), markup`${drawn}${line}`);
}

export interface Slot {
  /** Whose it is: the colour of its owner. */
  readonly colour: string;
  /** What stands in it, where a virtual server is; undefined: none is. */
  readonly virtual: string | undefined;
  /** Whether a request can fall on it. */
  readonly reached: boolean;
}

export interface Slots extends Caption {
  readonly slots: readonly Slot[];
  readonly perLine: number;
}

/** All slots of a map in lines, to be read like a text: pale for whom it is, full where a virtual server is, a dot where requests fall. */
export function slotChart({ slots, perLine, ...caption }: Slots): Chart {
  const left = 26;
  const size = (WIDTH - left - 2) / perLine;
  const height = size * 2.4;
  const gap = 5;
  const lines = Math.ceil(slots.length / perLine);
  const drawn = slots.map(({ colour, virtual, reached }, i) => {
    const x = left + (i % perLine) * size;
    const y = 2 + Math.floor(i / perLine) * (height + gap);
    const owner = markup`<rect class="${virtual === undefined ? 'pale' : 'fill'} ${colour}" x="${round(x)}" y="${round(y)}" width="${round(size)}" height="${round(height)}"/>`;
    const dot =
      reached &&
      markup`<circle class="dot" cx="${round(x + size / 2)}" cy="${round(y + height * 0.75)}" r="${round(size * 0.3)}"/>`;
    const name =
      virtual !== undefined &&
      markup`<text class="on" x="${round(x + size / 2)}" y="${round(y + height * 0.45)}" font-size="${round(size)}" text-anchor="middle">${virtual}</text>`;
    return markup`${owner}${name || undefined}${dot || undefined}`;
  });
  const numbers = Array.from(
    { length: lines },
    (_, i) =>
      markup`<text class="tick" x="${left - 4}" y="${round(2 + i * (height + gap) + height * 0.7)}" text-anchor="end">${i * perLine}</text>`,
  );
  return chartOf(caption, 4 + lines * (height + gap), markup`${numbers}${drawn}`);
}

/** A number as an axis or a bar has it: no more digits than are read. */
export function figure(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en');
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Pixels to a tenth: finer is not seen, and makes the file larger. */
function round(value: number): number {
  return Math.round(value * 10) / 10;
}
