// @ts-check

/** The one replica that is looked at just now: under the pointer or with focus, wherever on the page. */
export class Spotlight {
  /** @type {string | null} */
  #name = null;
  /** @type {(() => void)[]} */
  #listeners = [];

  get name() {
    return this.#name;
  }

  /** @param {string | null} name */
  set(name) {
    if (name === this.#name) return;
    this.#name = name;
    for (const listener of this.#listeners) listener();
  }

  /** @param {() => void} listener */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** Whoever points at `element` looks at the replica. @param {HTMLElement} element @param {string} name */
  follow(element, name) {
    element.addEventListener('pointerenter', () => this.set(name));
    element.addEventListener('pointerleave', () => this.set(null));
    element.addEventListener('focusin', () => this.set(name));
    element.addEventListener('focusout', () => this.set(null));
  }
}
