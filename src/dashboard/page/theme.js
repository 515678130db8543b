// @ts-check

/** What canvases draw with: they know no CSS, so the palette is read from it. */

const dark = matchMedia('(prefers-color-scheme: dark)');
const still = matchMedia('(prefers-reduced-motion: reduce)');

export const isDark = () => dark.matches;

/** Whether nothing should move by itself. */
export const isStill = () => still.matches;

/** @param {'ink' | 'ink-2' | 'ink-3' | 'line' | 'line-2' | 'paper' | 'sheet' | 'bad' | 'plot' | 'plot-2' | 'plot-3'} name */
export function inkOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || '#888888';
}

/** @param {{ light: string, dark: string }} colour */
export function now(colour) {
  return dark.matches ? colour.dark : colour.light;
}

/** @param {number} px @param {number} [weight] */
export function font(px, weight = 400) {
  return `${weight} ${px}px ${getComputedStyle(document.body).fontFamily}`;
}

/** @param {() => void} changed */
export function onScheme(changed) {
  dark.addEventListener('change', changed);
}

/**
 * A canvas as sharp as the screen.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {{ context: CanvasRenderingContext2D, width: number, height: number, ratio: number } | null} in CSS pixels; null: not shown
 */
export function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext('2d');
  if (width === 0 || height === 0 || context === null) return null;
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height, ratio };
}
