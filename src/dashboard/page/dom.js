// @ts-check

const SVG = 'http://www.w3.org/2000/svg';

/**
 * The element of the page with this id; a page without it is broken, and should say so at once.
 *
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function need(id, type) {
  const found = document.querySelector(`#${id}`);
  if (!(found instanceof type)) throw new Error(`page: no ${type.name} #${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {readonly (Node | string)[]} [children] text stays text
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {readonly Node[]} [children]
 */
export function makeSvg(tag, attributes, children = []) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One of the page's own signs, beside a word that says the same. @param {string} name */
export function icon(name) {
  return makeSvg('svg', { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, [
    makeSvg('use', { href: `#i-${name}` }),
  ]);
}

/** @param {SVGElement} svg made by `icon` @param {string} name */
export function setIcon(svg, name) {
  setAttribute(/** @type {Element} */ (svg.firstElementChild), 'href', `#i-${name}`);
}

/** Writes only what is new: most of the page is as it was a moment ago. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {Element} element @param {string} name @param {string | null} value null: without it */
export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** @param {HTMLElement} element @param {boolean} hidden */
export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/** Gives an element a replica's colour, for either scheme. @param {HTMLElement} element @param {{ light: string, dark: string }} colour */
export function tint(element, { light, dark }) {
  if (element.style.getPropertyValue('--on-light') === light) return;
  element.classList.add('tinted');
  element.style.setProperty('--on-light', light);
  element.style.setProperty('--on-dark', dark);
}

/**
 * Makes the children of `parent` those for `keys`, in this order. Nodes are kept, and moved only where they are not in
 * their place, so that focus and selection stay.
 *
 * @template {{ readonly element: HTMLElement }} V
 * @param {HTMLElement} parent
 * @param {Map<string, V>} views by key; those no longer asked for are taken out
 * @param {readonly string[]} keys
 * @param {(key: string) => V} create
 */
export function arrange(parent, views, keys, create) {
  const wanted = new Set(keys);
  for (const [key, view] of views)
    if (!wanted.has(key)) {
      // Who works by keyboard would have to begin again at the top of the page.
      const next = view.element.nextElementSibling ?? view.element.previousElementSibling;
      const focused = view.element.contains(document.activeElement);
      view.element.remove();
      views.delete(key);
      if (focused) focusIn(next ?? parent.parentElement);
    }
  let place = parent.firstElementChild;
  for (const key of wanted) {
    let view = views.get(key);
    if (view === undefined) {
      view = create(key);
      views.set(key, view);
    }
    if (view.element === place) place = place.nextElementSibling;
    else parent.insertBefore(view.element, place);
  }
}

/** @param {Element | null} place */
function focusIn(place) {
  const target = place?.querySelector('button:not([disabled]), input:not([disabled])');
  if (target instanceof HTMLElement) target.focus();
}

/**
 * Calls `then` a moment after the last of several calls.
 *
 * @param {number} ms
 * @param {() => void} then
 */
export function debounced(ms, then) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return {
    soon() {
      clearTimeout(timer);
      timer = setTimeout(then, ms);
    },
    now() {
      clearTimeout(timer);
      then();
    },
  };
}
