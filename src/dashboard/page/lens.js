// @ts-check
import { inkOn } from './colours.js';
import { place, quoted, short } from './format.js';
import { lensAt } from './geometry.js';
import { need, setAttribute } from './dom.js';
import { font, inkOf, isStill, now, onScheme, prepare } from './theme.js';

/** @typedef {import('./geometry.js').RingMap} RingMap */

const WALK_MS = 900;
const MARGIN = 1;

/** The neighbourhood of a key, magnified some hundred times: points, whose they are, and the way from the key to its own. */
export class LensView {
  #canvas = need('lens', HTMLCanvasElement);
  #colours;
  /** @type {RingMap | null} */
  #map = null;
  /** @type {{ key: string, position: number, owner: string | null } | null} */
  #key = null;
  #startedAt = -Infinity;
  #frame = 0;

  /** @param {import('./colours.js').Colours} colours */
  constructor(colours) {
    this.#colours = colours;
    onScheme(() => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
  }

  /**
   * @param {RingMap | null} map
   * @param {{ key: string, position: number, owner: string | null } | null} key
   */
  show(map, key) {
    const other = key?.position !== this.#key?.position || map?.digest !== this.#map?.digest;
    this.#map = map;
    this.#key = key;
    this.#canvas.hidden = map === null || key === null || map.positions.length === 0;
    if (other) this.#startedAt = isStill() ? -Infinity : performance.now();
    if (!this.#canvas.hidden) this.#draw();
  }

  #draw() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
      if (performance.now() - this.#startedAt < WALK_MS) this.#draw();
    });
  }

  #paint() {
    if (this.#map === null || this.#key === null) return;
    const lens = lensAt(this.#map, this.#key.position);
    const prepared = prepare(this.#canvas);
    if (lens === null || prepared === null) return;
    const { context, width } = prepared;
    const x = (/** @type {number} */ at) => MARGIN + at * (width - 2 * MARGIN);
    const [top, bottom] = [46, 84];
    const [ink, faint] = [inkOf('ink'), inkOf('ink-3')];
    context.textBaseline = 'middle';
    for (const { name, from, to } of lens.arcs) {
      context.fillStyle = now(this.#colours.of(name));
      context.fillRect(x(from), top, x(to) - x(from), bottom - top);
    }
    context.fillStyle = inkOf('paper');
    for (const { to, point } of lens.arcs) if (point) context.fillRect(x(to) - 0.5, top, 1.5, bottom - top);
    // A point stands at the end of its arc.
    for (const { name, to, point } of lens.arcs) {
      if (!point) continue;
      const own = Math.abs(to - lens.point) < 1e-9;
      context.fillStyle = now(this.#colours.of(name));
      context.beginPath();
      context.arc(x(to), bottom + 9, own ? 5 : 3, 0, 2 * Math.PI);
      context.fill();
      if (!own) continue;
      context.strokeStyle = ink;
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(x(to), bottom + 9, 7.5, 0, 2 * Math.PI);
      context.stroke();
    }
    const progress = Math.min(1, (performance.now() - this.#startedAt) / WALK_MS);
    const walked = x(lens.key + (lens.point - lens.key) * (1 - (1 - progress) ** 3));
    this.#paintWalk(context, x(lens.key), walked, { top, bottom, ink });
    context.textAlign = 'center';
    for (const { name, from, to } of lens.arcs) {
      context.font = font(11, 600);
      const title = [short(name, 16), short(name, 9)].find(
        (one) => context.measureText(one).width + 10 < x(to) - x(from),
      );
      if (title === undefined) continue;
      const [middle, half] = [(x(from) + x(to)) / 2, context.measureText(title).width / 2 + 3];
      // On its own ground, as the key may stand behind it.
      context.fillStyle = now(this.#colours.of(name));
      context.fillRect(middle - half, top + 9, 2 * half, bottom - top - 18);
      context.fillStyle = inkOn(now(this.#colours.of(name)));
      context.fillText(title, middle, (top + bottom) / 2 + 0.5);
    }
    context.fillStyle = ink;
    context.font = font(12, 600);
    context.textAlign = 'center';
    const label = short(quoted(this.#key.key), 22);
    const half = context.measureText(label).width / 2;
    context.fillText(label, Math.min(width - half, Math.max(half, x(lens.key))), 10);
    context.fillStyle = faint;
    context.font = font(10.5);
    context.textAlign = 'left';
    context.fillText(place(lens.start), 0, bottom + 30);
    context.textAlign = 'right';
    context.fillText(place((lens.start + Math.round(lens.span)) >>> 0), width, bottom + 30);
    context.textAlign = 'center';
    const times = Math.round(2 ** 32 / lens.span);
    if (width > 300) context.fillText(`${times.toLocaleString('en-US')}× magnified`, width / 2, bottom + 30);
    setAttribute(
      this.#canvas,
      'aria-label',
      `The circle around the key, magnified: from the key clockwise the first point is one of ${this.#key.owner}`,
    );
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} from
   * @param {number} to
   * @param {{ top: number, bottom: number, ink: string }} place
   */
  #paintWalk(context, from, to, { top, bottom, ink }) {
    const y = top - 12;
    context.strokeStyle = context.fillStyle = ink;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(from, 19);
    context.lineTo(from, bottom);
    context.moveTo(from, y);
    context.lineTo(to, y);
    context.stroke();
    context.beginPath();
    context.moveTo(to - 4.5, y + 3);
    context.lineTo(to + 4.5, y + 3);
    context.lineTo(to, top - 1);
    context.fill();
    context.beginPath();
    context.arc(from, 22, 3.5, 0, 2 * Math.PI);
    context.fill();
  }
}
