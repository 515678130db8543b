// @ts-check

/** Replicas that have a colour of their own; beyond it colours repeat. */
export const COLOURS = 64;

/** A colour in OKLCH: lightness 0 to 1, chroma, hue in degrees. @typedef {readonly [number, number, number]} Lch */
/** @typedef {readonly [number, number, number]} Triple */

/** The first ones are chosen by hand, as most fleets need no more than these. @type {readonly Lch[]} */
const FIRST = [
  [0.61, 0.18, 38],
  [0.53, 0.1, 205],
  [0.68, 0.14, 80],
  [0.46, 0.17, 277],
  [0.58, 0.13, 140],
  [0.55, 0.17, 350],
  [0.64, 0.12, 240],
  [0.42, 0.08, 55],
];

/** What is lighter on dark paper, and by how much: same hue, so that a replica is recognised in both schemes. */
const DARK_LIFT = 0.1;

/** Degrees that divide a circle most evenly, whatever their number. */
const GOLDEN_ANGLE = 137.508;

/** @param {Lch} lch @returns {Triple} */
export function oklab([lightness, chroma, hue]) {
  const radians = (hue * Math.PI) / 180;
  return [lightness, chroma * Math.cos(radians), chroma * Math.sin(radians)];
}

/** Linear light of red, green and blue; may lie outside of 0 to 1. @param {Lch} lch @returns {Triple} */
function linear(lch) {
  const [lightness, a, b] = oklab(lch);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/** The same colour with as much chroma as sRGB can show. @param {Lch} lch @returns {Lch} */
export function shown(lch) {
  const [lightness, , hue] = lch;
  let chroma = lch[1];
  const fits = () => linear([lightness, chroma, hue]).every((part) => part >= -0.0005 && part <= 1.0005);
  while (chroma > 0.001 && !fits()) chroma -= 0.002;
  return [lightness, Math.max(0, chroma), hue];
}

/** @param {Lch} lch */
export function hex(lch) {
  const parts = linear(shown(lch)).map((part) => {
    const light = Math.min(1, Math.max(0, part));
    const encoded = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
    return Math.round(encoded * 255)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${parts.join('')}`;
}

/** How different two colours look; about 0.02 is just visible side by side. @param {Lch} one @param {Lch} other */
export function difference(one, other) {
  const [a, b] = [oklab(shown(one)), oklab(shown(other))];
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** WCAG's relative luminance. @param {string} colour as #rrggbb */
function luminance(colour) {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG's contrast, 1 to 21. @param {string} one as #rrggbb @param {string} other */
export function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

/** The ink that is read best on a colour. @param {string} colour as #rrggbb */
export function inkOn(colour) {
  const [dark, light] = ['#000000', '#ffffff'];
  return contrast(colour, dark) >= contrast(colour, light) ? dark : light;
}

/** @param {string} colour as #rrggbb @param {string} ground @param {number} part how much of the colour, 0 to 1 */
export function mixed(colour, ground, part) {
  const parts = [1, 3, 5].map((at) => {
    const of = (/** @type {string} */ one) => Number.parseInt(one.slice(at, at + 2), 16);
    return Math.round(of(ground) + (of(colour) - of(ground)) * part)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${parts.join('')}`;
}

/** The same colour for dark paper. @param {Lch} lch */
function lifted([lightness, chroma, hue]) {
  return shown([Math.min(0.9, lightness + DARK_LIFT), chroma, hue]);
}

/** How different two colours look on that paper where they look more alike. @param {Lch} one @param {Lch} other */
function apart(one, other) {
  return Math.min(difference(one, other), difference(lifted(one), lifted(other)));
}

/** Each next colour is the candidate that differs most from all before it. @returns {Lch[]} */
function choose() {
  const candidates = Array.from({ length: 360 }, (_, i) =>
    shown([0.38 + 0.075 * (i % 5), [0.18, 0.12, 0.07][i % 3] ?? 0, (i * GOLDEN_ANGLE) % 360]),
  );
  const chosen = FIRST.map(shown);
  const nearest = candidates.map((one) => Math.min(...chosen.map((other) => apart(one, other))));
  while (chosen.length < COLOURS) {
    const next = /** @type {Lch} */ (candidates[nearest.indexOf(Math.max(...nearest))]);
    chosen.push(next);
    for (const [i, one] of candidates.entries()) nearest[i] = Math.min(nearest[i] ?? 0, apart(one, next));
  }
  return chosen;
}

/** @type {readonly Lch[]} */
export const ON_LIGHT = choose();

/** @type {readonly Lch[]} */
export const ON_DARK = ON_LIGHT.map(lifted);

const LIGHT_HEX = ON_LIGHT.map(hex);
const DARK_HEX = ON_DARK.map(hex);

/**
 * Which replica has which colour. One keeps its own for as long as the page is open, also while it is away, as its
 * past is still to be seen.
 */
export class Colours {
  /** @type {Map<string, number>} */
  #slots = new Map();
  /** Names that have a colour only because they may come. @type {Set<string>} */
  #lent = new Set();

  /** Hands out colours in this order, and takes them back from the longest gone where there are too few. @param {readonly string[]} present */
  seat(present) {
    for (const name of present) {
      this.#lent.delete(name);
      if (this.#slots.has(name)) continue;
      let taken = new Set(this.#slots.values());
      if (taken.size >= COLOURS) {
        for (const other of this.#slots.keys())
          if (taken.size >= COLOURS && !present.includes(other)) {
            this.#slots.delete(other);
            taken = new Set(this.#slots.values());
          }
      }
      let slot = 0;
      while (taken.has(slot)) slot++;
      this.#slots.set(name, slot);
    }
  }

  /**
   * Colours for those that may come, which they then keep. Who was named before and has not come gives its colour back:
   * else a name would take one with each letter that is typed.
   *
   * @param {readonly string[]} names
   */
  lend(names) {
    for (const name of this.#lent) this.#slots.delete(name);
    this.#lent.clear();
    const strangers = names.filter((name) => !this.#slots.has(name));
    this.seat(strangers);
    for (const name of strangers) this.#lent.add(name);
  }

  /** @param {string} name @returns {{ light: string, dark: string }} */
  of(name) {
    if (!this.#slots.has(name)) this.seat([name]);
    const slot = (this.#slots.get(name) ?? 0) % COLOURS;
    return { light: LIGHT_HEX[slot] ?? '#888888', dark: DARK_HEX[slot] ?? '#888888' };
  }
}
