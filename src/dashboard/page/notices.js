// @ts-check
import { announcement } from './happenings.js';
import { make, need } from './dom.js';

/** @typedef {import('./store.js').EventSnapshot} EventSnapshot */

const TOAST_MS = 6000;

/** What happens within this time is read out as one. */
const ANNOUNCE_EVERY_MS = 3000;

/** Short news at the edge of the page. @param {string} text @param {'good' | 'bad'} [tone] */
export function toast(text, tone = 'good') {
  const toasts = need('toasts', HTMLElement);
  const element = make('p', { class: 'toast', 'data-tone': tone }, [text]);
  toasts.append(element);
  setTimeout(() => element.remove(), TOAST_MS);
}

/** Tells who can't see the page of what matters. */
export class Announcer {
  #element = need('announcer', HTMLElement);
  /** @type {EventSnapshot[]} */
  #waiting = [];
  #busy = false;

  /** @param {readonly EventSnapshot[]} events */
  tell(events) {
    this.#waiting.push(...events);
    if (!this.#busy) this.#speak();
  }

  #speak() {
    const text = announcement(this.#waiting);
    this.#waiting = [];
    this.#busy = text !== '';
    if (text === '') return;
    this.#element.textContent = text;
    setTimeout(() => this.#speak(), ANNOUNCE_EVERY_MS);
  }
}
