import type { Chart } from './chart.ts';
import { markup, type Markup } from './markup.ts';

/** A part from 0 to 1, to the percent; below ten, to a tenth. */
export function percent(part: number): string {
  const value = part * 100;
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : value.toFixed(0)}\u00a0%`;
}

export function section(id: string, title: string, body: Markup): Markup {
  return markup`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>
${body}</section>`;
}

/** A chart with its title to be read, and what is to be said of it. */
export function figureWith({ svg, title }: Chart, words: Markup | string): Markup {
  return markup`<figure>${svg}<figcaption><b>${title}.</b> ${words}</figcaption></figure>`;
}

export interface Table {
  /** Of the element that holds the caption. */
  readonly id: string;
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number | Markup)[])[];
  /** How many columns from the left are text, and stand at the left; 1 by default. */
  readonly text?: number;
}

/** A table that can be scrolled sideways by keys too, where it is wider than the screen. */
export function table({ id, caption, head, rows, text = 1 }: Table): Markup {
  const cell = (content: string | number | Markup, i: number): Markup => {
    if (i === 0) return markup`<th scope="row" class="text">${content}</th>`;
    return i < text ? markup`<td class="text">${content}</td>` : markup`<td>${content}</td>`;
  };
  const heads = head.map((name, i) =>
    // An empty corner is no heading of anything.
    name === ''
      ? markup`<td></td>`
      : markup`<th scope="col"${i < text ? markup` class="text"` : undefined}>${name}</th>`,
  );
  // The caption stands outside, where it is not scrolled away.
  return markup`<p class="caption" id="${id}-caption">${caption}</p><div class="scroll" role="region" aria-labelledby="${id}-caption" tabindex="0"><table aria-labelledby="${id}-caption"><thead><tr>${heads}</tr></thead><tbody>${rows.map((row) => markup`<tr>${row.map(cell)}</tr>`)}</tbody></table></div>`;
}
