// @ts-check
import { count, counted, list, percent, rate, short } from './format.js';
import { angleOf, between, fits, isCircle, ownerAt, positionAt, runsOf, sectorsOf } from './geometry.js';
import { need, setAttribute, setText } from './dom.js';
import { font, inkOf, isStill, now, onScheme, prepare } from './theme.js';
import { inkOn } from './colours.js';

/** @typedef {import('./store.js').Snapshot} Snapshot */
/** @typedef {import('./geometry.js').RingMap} RingMap */
/** @typedef {import('./geometry.js').Sector} Sector */

const CHANGE_MS = 700;
const TURN = 2 * Math.PI;
const LABEL_CHARACTERS = 14;
const LABEL_PX = 12.5;
const LABEL_MIN_PX = 9;
const NAMED_OFF = 6;

/** Cells per device pixel of the circle: enough that none is wider than what the screen can show. */
const CELLS_PER_PIXEL = 1.5;

/** How far the rim reaches for traffic that is as large as the share: a part of the hole's radius. */
const RIM = 0.07;

/** What each of the others makes of the keys, in the place of points. @type {Readonly<Record<string, (size: number) => string>>} */
const PLACES = {
  maglev: (size) => `${count(size)} slots`,
  course: () => '512 slots',
  rendezvous: () => 'an order for each key',
};

const CIRCLE_LEGEND =
  'Band: whose each key is. Disc: shares. Rim: traffic now; at the fine circle it equals the share.';
const OTHER_LEGEND = 'Disc: shares. Rim: traffic now; at the fine circle it equals the share.';

const ease = (/** @type {number} */ t) => 1 - (1 - t) ** 3;

/** Who is off the ring: by name where they are few, else how many in which state. @param {readonly Snapshot['replicas'][number][]} off */
function offTheRing(off) {
  if (off.length <= NAMED_OFF) return list(off.map(({ name, state }) => `${name} (${state})`));
  /** @type {Map<string, number>} */
  const states = new Map();
  for (const { state } of off) states.set(state, (states.get(state) ?? 0) + 1);
  return list([...states].map(([state, n]) => `${n} ${state}`));
}

/** The circle of keys: outside whose each key is, inside how much each has. */
export class RingView {
  #canvas = need('ring', HTMLCanvasElement);
  #title = need('hub-title', HTMLElement);
  #line = need('hub-line', HTMLElement);
  #more = need('hub-more', HTMLElement);
  #note = need('ring-note', HTMLElement);
  #heading = need('h-ring', HTMLElement);
  #legend = need('ring-legend', HTMLElement);
  /** Why there are no arcs; empty where there are. */
  #wanting = '';
  #colours;
  #spotlight;
  /** @type {Snapshot | null} */
  #snapshot = null;
  /** @type {RingMap | null} */
  #map = null;
  /** Sectors that are, and those from which they come. @type {Sector[]} */
  #sectors = [];
  /** @type {Sector[]} */
  #before = [];
  #changedAt = -Infinity;
  #bandChangedAt = -Infinity;
  #frame = 0;
  /** The band as it is drawn, and as it was: too many arcs to draw them in each frame. @type {HTMLCanvasElement | null} */
  #band = null;
  /** @type {HTMLCanvasElement | null} */
  #oldBand = null;
  /** The arcs of who is looked at. @type {{ name: string, band: HTMLCanvasElement } | null} */
  #litBand = null;
  /** @type {number | null} */
  #key = null;
  /** @type {string | null} */
  #owner = null;

  /** @param {import('./colours.js').Colours} colours @param {import('./spotlight.js').Spotlight} spotlight */
  constructor(colours, spotlight) {
    this.#colours = colours;
    this.#spotlight = spotlight;
    spotlight.listen(() => this.#draw());
    onScheme(() => {
      this.#band = this.#litBand = null;
      this.#draw();
    });
    new ResizeObserver(() => {
      this.#band = this.#oldBand = this.#litBand = null;
      this.#draw();
    }).observe(this.#canvas);
    this.#canvas.addEventListener('pointermove', (event) => this.#point(event.offsetX, event.offsetY));
    this.#canvas.addEventListener('pointerleave', () => spotlight.set(null));
  }

  /** @param {Snapshot} snapshot */
  show(snapshot) {
    const sectors = sectorsOf(snapshot.replicas);
    const same =
      sectors.length === this.#sectors.length &&
      sectors.every(
        ({ name, to }, i) => this.#sectors[i]?.name === name && Math.abs(this.#sectors[i].to - to) < 1e-6,
      );
    const first = this.#snapshot === null;
    this.#snapshot = snapshot;
    const { algorithm } = snapshot.ring;
    setText(this.#heading, isCircle(algorithm) ? 'Ring' : `Keys, by ${algorithm}`);
    setText(this.#legend, isCircle(algorithm) ? CIRCLE_LEGEND : OTHER_LEGEND);
    if (!same) {
      this.#before = first ? [] : this.#current();
      this.#sectors = sectors;
      this.#changed();
      const shares = snapshot.replicas.filter(({ share }) => share > 0);
      setAttribute(
        this.#canvas,
        'aria-label',
        shares.length === 0
          ? `${isCircle(algorithm) ? 'Ring of keys' : 'Keys'}: no replica is on the map`
          : `${isCircle(algorithm) ? 'Ring of keys' : `Keys, by ${algorithm}`}, shares: ${shares.map(({ name, share }) => `${name} ${percent(share)}`).join(', ')}`,
      );
    }
    const off = snapshot.replicas.filter(({ share }) => share <= 0);
    const absent = off.length === 0 ? '' : `Not on the ring: ${offTheRing(off)}.`;
    setText(this.#note, [absent, this.#wanting].filter((one) => one !== '').join(' '));
    this.#writeHub();
    if (first || same) this.#draw();
  }

  /** @param {RingMap | null} map null: nobody knows, or too many points to tell @param {string} [wanting] why there is none */
  setMap(map, wanting = '') {
    this.#wanting = wanting;
    this.#map = map;
    this.#oldBand = this.#band;
    this.#band = this.#litBand = null;
    // A clock of its own: the map comes before or after the shares that go with it.
    this.#bandChangedAt = isStill() ? -Infinity : performance.now();
    this.#draw();
  }

  /** @param {number | null} position of the key that is asked for @param {string | null} owner */
  setKey(position, owner) {
    this.#key = position;
    this.#owner = owner;
    this.#draw();
  }

  #changed() {
    this.#changedAt = isStill() ? -Infinity : performance.now();
    this.#draw();
  }

  get #isCircle() {
    return this.#snapshot === null || isCircle(this.#snapshot.ring.algorithm);
  }

  get #progress() {
    return Math.min(1, (performance.now() - this.#changedAt) / CHANGE_MS);
  }

  get #bandProgress() {
    return Math.min(1, (performance.now() - this.#bandChangedAt) / CHANGE_MS);
  }

  #current() {
    return between(this.#before, this.#sectors, ease(this.#progress));
  }

  /** Sizes in CSS pixels, from the middle. @param {number} size */
  #radii(size) {
    const scale = size / 2 - 2;
    // Where keys have no place on a circle there is no band of them, and no scale.
    if (!this.#isCircle)
      return { scale, outer: scale, inner: scale, donut: scale - 2, hole: (scale - 2) * 0.62 };
    const outer = scale - 17;
    const band = Math.max(12, outer * 0.085);
    const donut = outer - band - Math.max(5, outer * 0.03);
    return { scale, outer, inner: outer - band, donut, hole: donut * 0.64 };
  }

  /** @param {number} x @param {number} y in CSS pixels of the canvas */
  #point(x, y) {
    const { clientWidth, clientHeight } = this.#canvas;
    const [dx, dy] = [x - clientWidth / 2, y - clientHeight / 2];
    const [radius, angle] = [Math.hypot(dx, dy), Math.atan2(dy, dx)];
    const { outer, inner, donut, hole } = this.#radii(Math.min(clientWidth, clientHeight));
    let name = null;
    if (radius <= outer && radius >= inner && this.#map !== null)
      name = ownerAt(this.#map, positionAt(angle)) ?? null;
    else if (radius <= donut && radius >= hole) {
      const turned = angle < -TURN / 4 ? angle + TURN : angle;
      name = this.#sectors.find(({ from, to }) => turned >= from && turned < to)?.name ?? null;
    }
    this.#spotlight.set(name);
  }

  #writeHub() {
    const snapshot = this.#snapshot;
    if (snapshot === null) return;
    const lit = snapshot.replicas.find(({ name }) => name === this.#spotlight.name);
    if (lit) {
      setText(this.#title, short(lit.name, 18));
      setText(this.#line, lit.share > 0 ? `${percent(lit.share)} of keys` : lit.state);
      setText(this.#more, `${rate(lit.requests_per_s)} requests/s`);
      return;
    }
    const on = snapshot.replicas.filter(({ share }) => share > 0).length;
    setText(this.#title, on === 0 ? 'Nobody' : counted(on, 'replica'));
    const points = this.#map?.digest === snapshot.ring.digest ? this.#map.positions.length : null;
    const { algorithm, points: size } = snapshot.ring;
    const places = points === null ? (PLACES[algorithm]?.(size) ?? '') : counted(points, 'point');
    setText(this.#line, on === 0 ? 'is on the ring' : places);
    setText(this.#more, on === 0 ? '' : `${snapshot.ring.algorithm} ${snapshot.ring.digest.slice(0, 8)}`);
  }

  #draw() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
      if (Math.min(this.#progress, this.#bandProgress) < 1) this.#draw();
    });
  }

  #paint() {
    const prepared = prepare(this.#canvas);
    if (prepared === null) return;
    this.#writeHub();
    const { context, width, height, ratio } = prepared;
    const size = Math.min(width, height);
    const radii = this.#radii(size);
    context.translate(width / 2, height / 2);
    if (this.#isCircle) {
      this.#paintScale(context, radii);
      this.#paintBand(context, size, ratio, radii, ease(this.#bandProgress));
    }
    this.#paintSectors(context, radii);
    if (this.#isCircle && this.#key !== null) this.#paintKey(context, radii, this.#key);
  }

  /** @param {CanvasRenderingContext2D} context @param {{ scale: number, outer: number, inner: number, donut: number, hole: number }} radii */
  #paintScale(context, { scale, outer }) {
    context.strokeStyle = inkOf('ink-3');
    context.lineWidth = 1;
    context.beginPath();
    for (let i = 0; i < 64; i++) {
      const angle = (i / 64) * TURN - TURN / 4;
      const [from, to] = [outer + 4, outer + (i % 16 === 0 ? 0 : i % 4 === 0 ? 10 : 7)];
      if (i % 16 === 0) continue;
      context.moveTo(Math.cos(angle) * from, Math.sin(angle) * from);
      context.lineTo(Math.cos(angle) * to, Math.sin(angle) * to);
    }
    context.stroke();
    context.fillStyle = inkOf('ink-3');
    context.font = font(10.5);
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    for (const [i, label] of ['0', '¼', '½', '¾'].entries()) {
      const angle = (i / 4) * TURN - TURN / 4;
      context.fillText(label, Math.cos(angle) * (scale - 6), Math.sin(angle) * (scale - 6));
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} size
   * @param {number} ratio
   * @param {{ outer: number, inner: number }} radii
   * @param {number} progress
   */
  #paintBand(context, size, ratio, radii, progress) {
    const { outer, inner } = radii;
    const middle = (outer + inner) / 2;
    context.strokeStyle = inkOf('line');
    context.lineWidth = outer - inner;
    if (this.#map === null || this.#map.positions.length === 0) {
      context.beginPath();
      context.arc(0, 0, middle, 0, TURN);
      context.stroke();
    } else {
      this.#band ??= this.#makeBand(this.#map, size, ratio, radii, null);
      if (this.#oldBand !== null && progress < 1) {
        context.drawImage(this.#oldBand, -size / 2, -size / 2, size, size);
        context.globalAlpha = progress;
      } else this.#oldBand = null;
      const lit = this.#spotlight.name;
      const shown = lit !== null && this.#map.names.includes(lit);
      if (shown) context.globalAlpha *= 0.16;
      context.drawImage(this.#band, -size / 2, -size / 2, size, size);
      context.globalAlpha = 1;
      if (!shown) this.#litBand = null;
      else if (this.#litBand?.name !== lit)
        this.#litBand = { name: lit, band: this.#makeBand(this.#map, size, ratio, radii, lit) };
      if (this.#litBand !== null) context.drawImage(this.#litBand.band, -size / 2, -size / 2, size, size);
    }
  }

  /**
   * @param {RingMap} map
   * @param {number} size
   * @param {number} ratio
   * @param {{ outer: number, inner: number }} radii
   * @param {string | null} only whose arcs; null: all
   */
  #makeBand(map, size, ratio, { outer, inner }, only) {
    const band = document.createElement('canvas');
    band.width = band.height = Math.round(size * ratio);
    const context = /** @type {CanvasRenderingContext2D} */ (band.getContext('2d'));
    context.scale(band.width / size, band.width / size);
    context.translate(size / 2, size / 2);
    context.lineWidth = outer - inner;
    const middle = (outer + inner) / 2;
    const cells = Math.round(TURN * outer * ratio * CELLS_PER_PIXEL);
    /** @type {Map<number, Path2D>} */
    const paths = new Map();
    for (const { owner, from, to } of runsOf(map, cells)) {
      if (only !== null && map.names[owner] !== only) continue;
      let path = paths.get(owner);
      if (path === undefined) paths.set(owner, (path = new Path2D()));
      const [a, b] = [(from / cells) * TURN - TURN / 4, (to / cells) * TURN - TURN / 4];
      path.moveTo(Math.cos(a) * middle, Math.sin(a) * middle);
      path.arc(0, 0, middle, a, b);
    }
    for (const [owner, path] of paths) {
      context.strokeStyle = now(this.#colours.of(map.names[owner] ?? ''));
      context.stroke(path);
    }
    return band;
  }

  /** @param {CanvasRenderingContext2D} context @param {{ donut: number, hole: number }} radii */
  #paintSectors(context, { donut, hole }) {
    const sectors = this.#current();
    const sheet = inkOf('paper');
    const lit = this.#spotlight.name;
    if (sectors.length === 0) {
      context.strokeStyle = inkOf('line');
      context.lineWidth = 1;
      context.setLineDash([3, 4]);
      for (const radius of [donut, hole]) {
        context.beginPath();
        context.arc(0, 0, radius, 0, TURN);
        context.stroke();
      }
      context.setLineDash([]);
      return;
    }
    const gap = sectors.length === 1 ? 0 : sectors.length > 24 ? 1 : 2;
    for (const { name, from, to } of sectors) {
      const colour = now(this.#colours.of(name));
      context.globalAlpha =
        lit === null || lit === name || !sectors.some((one) => one.name === lit) ? 1 : 0.22;
      context.fillStyle = colour;
      context.beginPath();
      context.arc(0, 0, donut, from, to);
      context.arc(0, 0, hole, to, from, true);
      context.closePath();
      context.fill();
    }
    context.globalAlpha = 1;
    if (gap > 0) {
      context.strokeStyle = sheet;
      context.lineWidth = gap;
      context.beginPath();
      for (const { from } of sectors) {
        context.moveTo(Math.cos(from) * (hole - 1), Math.sin(from) * (hole - 1));
        context.lineTo(Math.cos(from) * (donut + 1), Math.sin(from) * (donut + 1));
      }
      context.stroke();
    }
    const owns = sectors.find(({ name }) => name === this.#owner);
    if (owns) {
      context.strokeStyle = inkOf('ink');
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(0, 0, donut - 1, owns.from, owns.to);
      context.arc(0, 0, hole + 1, owns.to, owns.from, true);
      context.closePath();
      context.stroke();
    }
    this.#paintTraffic(context, sectors, hole);
    if (this.#progress >= 1) this.#label(context, sectors, { inner: hole + 3, outer: donut - 3 }, lit);
  }

  /**
   * The rim inside: who is as busy as its share says reaches to the fine circle, who is twice as busy twice as far.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {readonly Sector[]} sectors
   * @param {number} hole
   */
  #paintTraffic(context, sectors, hole) {
    const snapshot = this.#snapshot;
    if (snapshot === null) return;
    const [start, fair] = [hole - 5, hole * RIM];
    const total = snapshot.replicas.reduce((sum, one) => sum + one.requests_per_s, 0);
    if (total > 0)
      for (const { name, from, to } of sectors) {
        const replica = snapshot.replicas.find((one) => one.name === name);
        if (replica === undefined || !(replica.share > 0)) continue;
        const depth = Math.min(2, replica.requests_per_s / total / replica.share) * fair;
        context.fillStyle = now(this.#colours.of(name));
        context.globalAlpha = this.#spotlight.name === null || this.#spotlight.name === name ? 1 : 0.22;
        context.beginPath();
        context.arc(0, 0, start, from, to);
        context.arc(0, 0, start - depth, to, from, true);
        context.fill();
      }
    context.globalAlpha = 1;
    context.strokeStyle = inkOf('ink');
    context.lineWidth = 1;
    context.beginPath();
    context.arc(0, 0, start - fair, 0, TURN);
    context.stroke();
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {readonly Sector[]} sectors
   * @param {{ inner: number, outer: number }} radii
   * @param {string | null} lit
   */
  #label(context, sectors, { inner, outer }, lit) {
    const middle = (inner + outer) / 2;
    const shares = new Map(this.#snapshot?.replicas.map(({ name, share }) => [name, share]));
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const labels = sectors.map(({ name, from, to }) => {
      const angle = (from + to) / 2;
      const [title, share] = [short(name, LABEL_CHARACTERS), percent(shares.get(name))];
      context.font = font(LABEL_PX, 600);
      const width = Math.max(context.measureText(title).width, context.measureText(share).width) + 6;
      const [x, y] = [Math.cos(angle) * middle, Math.sin(angle) * middle];
      const height = LABEL_PX * 2.5;
      const half = (to - from) / 2;
      return {
        name,
        title,
        share,
        angle,
        along: (to - from) * inner,
        upright: fits({ x, y, width, height }, { from, to, inner, outer }),
        across: fits(
          { x: middle, y: 0, width: height, height: width },
          { from: -half, to: half, inner, outer },
        ),
      };
    });
    // All in one way: upright where each has room for it, else across the radius, else along it.
    const upright = labels.every((label) => label.upright);
    const across = labels.every((label) => label.across);
    for (const { name, title, share, angle, along } of labels) {
      if (lit !== null && lit !== name && sectors.some((one) => one.name === lit)) continue;
      context.fillStyle = inkOn(now(this.#colours.of(name)));
      context.save();
      context.translate(Math.cos(angle) * middle, Math.sin(angle) * middle);
      if (upright || across) {
        // Never upside down.
        if (!upright) context.rotate(Math.sin(angle) > 0 ? angle - TURN / 4 : angle + TURN / 4);
        context.font = font(LABEL_PX, 600);
        context.fillText(title, 0, -LABEL_PX * 0.6);
        context.font = font(LABEL_PX);
        context.fillText(share, 0, LABEL_PX * 0.65);
      } else {
        const px = Math.min(LABEL_PX - 1, along - 3);
        context.font = font(px, 600);
        context.rotate(Math.cos(angle) < 0 ? angle + Math.PI : angle);
        if (px >= LABEL_MIN_PX && context.measureText(title).width <= outer - inner)
          context.fillText(title, 0, 0.5);
      }
      context.restore();
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {{ scale: number, outer: number, inner: number }} radii @param {number} key */
  #paintKey(context, { scale, outer, inner }, key) {
    const angle = angleOf(key);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    context.strokeStyle = inkOf('paper');
    context.lineWidth = 5;
    context.beginPath();
    context.moveTo(cos * (inner - 5), sin * (inner - 5));
    context.lineTo(cos * (outer + 3), sin * (outer + 3));
    context.stroke();
    context.strokeStyle = context.fillStyle = inkOf('ink');
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(cos * (inner - 5), sin * (inner - 5));
    context.lineTo(cos * (scale - 4), sin * (scale - 4));
    context.stroke();
    context.beginPath();
    context.arc(cos * (scale - 6), sin * (scale - 6), 5, 0, TURN);
    context.fill();
  }
}
