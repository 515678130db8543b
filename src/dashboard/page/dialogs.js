// @ts-check
import { Locked, NotAllowed, Refused, wordsOf } from './api.js';
import { count, counted, list, percent } from './format.js';
import { changes, sentence } from './plan.js';
import { debounced, make, need, setHidden, setText, tint } from './dom.js';
import { toast } from './notices.js';

/** @typedef {import('./store.js').Snapshot} Snapshot */
/** @typedef {import('./plan.js').Plan} Plan */

const TYPING_MS = 250;
const ROWS_SHOWN = 8;

/** Asks for the token; the same dialog again where it was not the right one. */
export class TokenDialog {
  #dialog = need('token', HTMLDialogElement);
  #field = need('token-field', HTMLInputElement);
  #error = need('token-error', HTMLElement);
  /** @type {((token: string | null) => void) | null} */
  #answer = null;

  constructor() {
    need('token-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#close(this.#field.value);
    });
    need('token-cancel', HTMLButtonElement).addEventListener('click', () => this.#close(null));
    this.#dialog.addEventListener('close', () => this.#close(null));
  }

  /** @param {boolean} again whether the last one was not accepted @returns {Promise<string | null>} null: closed */
  ask(again) {
    this.#close(null);
    setText(this.#error, again ? 'That token was not accepted.' : '');
    this.#field.value = '';
    this.#dialog.showModal();
    this.#field.focus();
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  /** @param {string | null} token */
  #close(token) {
    this.#answer?.(token);
    this.#answer = null;
    this.#field.value = '';
    if (this.#dialog.open) this.#dialog.close();
  }
}

/** What a plan would do, in one sentence and as shares before and after. */
class Preview {
  #element;
  /** Alone is read out when it changes: the table would be too much. */
  #sentence = make('p', { class: 'sentence', 'aria-live': 'polite' });
  #details = make('div', { class: 'details' });
  #colours;
  #api;
  /** @type {AbortController | null} */
  #asking = null;
  /** Names that the plan is for; null where there is no plan. @type {readonly string[] | null} */
  names = null;

  /** @param {HTMLElement} element @param {import('./colours.js').Colours} colours @param {import('./api.js').Api} api */
  constructor(element, colours, api) {
    this.#element = element;
    element.append(this.#sentence, this.#details);
    this.#api = api;
    this.#colours = colours;
  }

  /** Takes away what a plan would do. @param {string} [why] there is none */
  clear(why = '') {
    this.#asking?.abort();
    this.names = null;
    this.#fill(why);
  }

  /** @param {string} sentence @param {readonly Node[]} [details] */
  #fill(sentence, details = []) {
    const focused = this.#details.contains(document.activeElement);
    setText(this.#sentence, sentence);
    this.#details.replaceChildren(...details);
    const next = focused ? this.#element.closest('form')?.querySelector('[type=submit]') : null;
    if (next instanceof HTMLElement) next.focus();
  }

  /** @param {(signal: AbortSignal) => Promise<Plan | null>} make @param {'add' | 'rm' | 'weights'} which */
  async show(make, which) {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.names = null;
    const told = !this.#api.locked;
    try {
      const plan = await make(asking.signal);
      if (asking.signal.aborted) return;
      if (plan === null) this.#fill('');
      else {
        this.names = which === 'weights' ? null : (plan[which] ?? null);
        this.#write(plan, which);
      }
    } catch (error) {
      if (asking.signal.aborted) return;
      if (error instanceof Locked || (error instanceof Refused && error.status === 401))
        this.#offerToken(told ? 'That token was not accepted.' : '', () => void this.show(make, which));
      else this.#fill(wordsOf(error));
    }
  }

  /** @param {string} said @param {() => void} then */
  #offerToken(said, then) {
    const button = make('button', { type: 'button', class: 'button', 'data-test': 'preview-token' }, [
      'Give the token to see which keys move…',
    ]);
    button.addEventListener('click', () => {
      void this.#api.unlock().then(() => (this.#api.locked ? undefined : then()));
    });
    this.#fill(said, [button]);
  }

  /** @param {string} text */
  #note(text) {
    return make('p', { class: 'preview-note' }, [text]);
  }

  /** @param {Plan} plan @param {'add' | 'rm' | 'weights'} which */
  #write(plan, which) {
    this.#colours.lend(plan.add ?? []);
    const rows = changes(plan);
    const shown = rows.length > ROWS_SHOWN + 1 ? rows.slice(0, ROWS_SHOWN) : rows;
    const names = which === 'weights' ? [] : plan[which];
    const table = make('table', {}, [
      make('caption', { class: 'unseen' }, ['Shares before and after']),
      make('thead', {}, [
        make('tr', {}, [
          make('th', { scope: 'col' }, ['Replica']),
          make('th', { scope: 'col', class: 'number' }, ['Before']),
          make('th', { scope: 'col', class: 'number' }, ['After']),
        ]),
      ]),
      make(
        'tbody',
        {},
        shown.map(({ name, before, after }) => {
          const head = make('th', { scope: 'row' }, [
            make('i', { class: 'swatch', 'aria-hidden': 'true' }),
            make('span', { class: 'name' }, [name]),
          ]);
          const row = make('tr', {}, [
            head,
            make('td', { class: 'number' }, [before === null ? '–' : percent(before)]),
            make('td', { class: 'number' }, [after === null ? 'leaves' : percent(after)]),
          ]);
          tint(row, this.#colours.of(name));
          return row;
        }),
      ),
    ]);
    this.#fill(sentence(plan), [
      ...(names === undefined || names.length === 0
        ? []
        : [this.#note(which === 'add' ? `To come: ${list(names, 6)}.` : `To leave: ${list(names, 6)}.`)]),
      table,
      ...(shown.length < rows.length ? [this.#note(`and ${rows.length - shown.length} more`)] : []),
    ]);
  }
}

/** What both dialogs of changes do: wait, tell of errors, and close when it is done. */
class ChangeDialog {
  #submit;
  #error;
  #words;
  #busy = false;

  /** @param {string} id @param {{ idle: string, busy: string }} words on the button */
  constructor(id, words) {
    this.dialog = need(id, HTMLDialogElement);
    this.#submit = need(`${id}-submit`, HTMLButtonElement);
    this.#error = need(`${id}-error`, HTMLElement);
    this.#words = words;
    need(`${id}-cancel`, HTMLButtonElement).addEventListener('click', () => this.dialog.close());
    need(`${id}-form`, HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#run();
    });
  }

  /** @type {() => Promise<string>} what is done, and what to say of it then */
  change = () => Promise.resolve('');

  open() {
    if (!this.#busy) setText(this.#error, '');
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** @param {string} text */
  setWords(text) {
    this.#words = { ...this.#words, idle: text };
    if (!this.#busy) setText(this.#submit, text);
  }

  /** Whether there is anything to do, as far as the fields go. @param {boolean} able */
  enable(able) {
    this.#submit.disabled = !able;
  }

  async #run() {
    if (this.#busy) return;
    this.#busy = true;
    this.#submit.setAttribute('aria-disabled', 'true');
    setText(this.#submit, this.#words.busy);
    setText(this.#error, '');
    this.dialog.setAttribute('data-busy', '');
    try {
      const said = await this.change();
      this.dialog.close();
      toast(said);
    } catch (error) {
      setText(this.#error, wordsOf(error));
      // Who has closed the dialog meanwhile should hear of it all the same.
      if (!this.dialog.open && !(error instanceof NotAllowed)) toast(wordsOf(error), 'bad');
    } finally {
      this.#busy = false;
      this.#submit.removeAttribute('aria-disabled');
      setText(this.#submit, this.#words.idle);
      this.dialog.removeAttribute('data-busy');
    }
  }
}

const WEIGHT_MAX = 100;
const WEIGHT_WORDS = `The weight is a whole number from 1 to ${WEIGHT_MAX}.`;

/** @param {number} value NaN where nothing is typed */
function isWeight(value) {
  return Number.isInteger(value) && value >= 1 && value <= WEIGHT_MAX;
}

/** @param {string} text */
function namesIn(text) {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

/** Members after a change, as the server says. @param {unknown} answer @returns {string[]} */
function membersIn(answer) {
  const message = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'message') : undefined;
  const names =
    typeof message === 'object' && message !== null ? Reflect.get(message, 'replicas') : undefined;
  return Array.isArray(names) ? names.map(String) : [];
}

/** @param {readonly string[]} members */
function nowThere(members) {
  return ` ${counted(members.length, 'replica')} now.`;
}

export class AddDialog {
  #base = new ChangeDialog('add', { idle: 'Add', busy: 'Starting…' });
  #n = need('add-n', HTMLInputElement);
  #names = need('add-names', HTMLInputElement);
  #weight = need('add-weight', HTMLInputElement);
  #weightRow = need('add-weight-row', HTMLElement);
  #preview;
  #api;
  /** Whether there are other weights than 1. */
  #weighs = false;

  /**
   * @param {import('./api.js').Api} api
   * @param {import('./colours.js').Colours} colours
   * @param {() => readonly string[]} members who is there
   */
  constructor(api, colours, members) {
    this.#api = api;
    this.#preview = new Preview(need('add-preview', HTMLElement), colours, api);
    const typing = debounced(TYPING_MS, () => this.#plan());
    this.#n.addEventListener('input', () => typing.soon());
    this.#names.addEventListener('input', () => {
      const named = namesIn(this.#names.value).length;
      if (named > this.#n.valueAsNumber) this.#n.value = String(named);
      this.#offerWeight();
      this.#check();
      typing.soon();
    });
    this.#weight.addEventListener('input', () => {
      this.#check();
      typing.soon();
    });
    this.#base.change = async () => {
      const [n, before] = [this.#n.valueAsNumber, new Set(members())];
      const there = membersIn(await api.add(n, namesIn(this.#names.value), this.#weights()));
      const added = there.filter((name) => !before.has(name));
      this.#names.value = this.#weight.value = '';
      const named = added.length > 0 ? `: ${list(added, 4)}` : '';
      return `${counted(n, 'replica')} added${named}.${nowThere(there)}`;
    };
  }

  /** @param {Snapshot | null} snapshot */
  open(snapshot) {
    this.#weighs = snapshot !== null && snapshot.ring.algorithm !== 'course';
    this.#offerWeight();
    this.#base.open();
    this.#n.focus();
    this.#n.select();
    this.#plan();
  }

  /** One that is named may have a weight; of several it would not be clear whose it is. */
  #offerWeight() {
    setHidden(this.#weightRow, !this.#weighs || namesIn(this.#names.value).length !== 1);
  }

  /** Whether the weight is one, or none is asked for; by what can't be done it can't be tried either. */
  #check() {
    const left = this.#weight.value === '' && !this.#weight.validity.badInput;
    const able = Boolean(this.#weightRow.hidden) || left || isWeight(this.#weight.valueAsNumber);
    this.#base.enable(able);
    return able;
  }

  /** @returns {Record<string, number>} */
  #weights() {
    const [name] = namesIn(this.#names.value);
    const weight = this.#weight.valueAsNumber;
    return this.#weightRow.hidden || name === undefined || Number.isNaN(weight) ? {} : { [name]: weight };
  }

  #plan() {
    const n = this.#n.valueAsNumber;
    this.#base.setWords(n > 0 ? `Add ${counted(n, 'replica')}` : 'Add');
    if (!this.#check()) return this.#preview.clear(WEIGHT_WORDS);
    if (!(n > 0)) return this.#preview.clear();
    const [names, weights] = [namesIn(this.#names.value), this.#weights()];
    void this.#preview.show((signal) => this.#api.planAdd(n, names, signal, weights), 'add');
  }
}

export class RemoveDialog {
  #base = new ChangeDialog('remove', { idle: 'Drain and remove', busy: 'Draining…' });
  #n = need('remove-n', HTMLInputElement);
  #newest = need('remove-newest', HTMLInputElement);
  #picked = need('remove-picked', HTMLInputElement);
  #picks = need('remove-picks', HTMLElement);
  #nRow = need('remove-n-row', HTMLElement);
  #list = need('remove-list', HTMLElement);
  #preview;
  #api;
  #colours;
  /** @type {readonly string[]} */
  #members = [];

  /** @param {import('./api.js').Api} api @param {import('./colours.js').Colours} colours */
  constructor(api, colours) {
    this.#api = api;
    this.#colours = colours;
    this.#preview = new Preview(need('remove-preview', HTMLElement), colours, api);
    const typing = debounced(TYPING_MS, () => this.#plan());
    this.#n.addEventListener('input', () => typing.soon());
    for (const mode of [this.#newest, this.#picked]) mode.addEventListener('change', () => this.#switched());
    this.#list.addEventListener('change', () => typing.soon());
    this.#base.change = async () => {
      const { n, names } = this.#wanted();
      if (n === 0) throw new Error('Nobody is picked.');
      // Those that the plan has named, and no others, should there be newer ones by now.
      const hostnames = names.length > 0 ? names : (this.#preview.names ?? []);
      const answer = await api.remove(n, hostnames.length === n ? hostnames : names);
      return `${names.length > 0 ? list(names, 4) : counted(n, 'replica')} drained and removed.${nowThere(membersIn(answer))}`;
    };
  }

  /** @param {Snapshot | null} snapshot @param {string} [name] who is picked already */
  open(snapshot, name) {
    this.#members =
      snapshot?.replicas
        .filter(({ state }) => state !== 'draining' && state !== 'gone')
        .map((one) => one.name) ?? [];
    this.#n.max = String(Math.max(1, this.#members.length));
    (name === undefined ? this.#newest : this.#picked).checked = true;
    this.#list.replaceChildren(
      ...this.#members.map((member) => {
        const box = make('input', { type: 'checkbox', value: member });
        box.checked = member === name;
        const label = make('label', {}, [
          box,
          make('i', { class: 'swatch', 'aria-hidden': 'true' }),
          make('span', { class: 'name' }, [member]),
        ]);
        tint(label, this.#colours.of(member));
        return make('li', {}, [label]);
      }),
    );
    this.#base.open();
    this.#switched();
    if (name === undefined) this.#n.focus();
    else need('remove-submit', HTMLButtonElement).focus();
  }

  #switched() {
    setHidden(this.#picks, this.#newest.checked);
    setHidden(this.#nRow, this.#picked.checked);
    this.#plan();
  }

  #wanted() {
    const names = this.#picked.checked
      ? [...this.#list.querySelectorAll('input')].filter(({ checked }) => checked).map(({ value }) => value)
      : [];
    const n = this.#picked.checked ? names.length : this.#n.valueAsNumber || 0;
    return { n, names };
  }

  #plan() {
    const { n, names } = this.#wanted();
    this.#base.setWords(
      n === 1 && names[0] !== undefined
        ? `Drain and remove ${names[0]}`
        : n > 0
          ? `Drain and remove ${count(n)}`
          : 'Drain and remove',
    );
    const [member] = this.#members;
    if (!(n > 0) || member === undefined) return this.#preview.clear();
    void this.#preview.show((signal) => this.#api.planRemove(n, names, member, signal), 'rm');
  }
}

/** Another weight for one that is there. */
export class WeightDialog {
  #base = new ChangeDialog('weight', { idle: 'Change', busy: 'Changing…' });
  #title = need('weight-title', HTMLElement);
  #field = need('weight-field', HTMLInputElement);
  #preview;
  #api;
  #name = '';

  /** @param {import('./api.js').Api} api @param {import('./colours.js').Colours} colours */
  constructor(api, colours) {
    this.#api = api;
    this.#preview = new Preview(need('weight-preview', HTMLElement), colours, api);
    const typing = debounced(TYPING_MS, () => this.#plan());
    this.#field.addEventListener('input', () => {
      this.#base.enable(isWeight(this.#field.valueAsNumber));
      typing.soon();
    });
    this.#base.change = async () => {
      const [name, weight] = [this.#name, this.#field.valueAsNumber];
      await api.weigh({ [name]: weight });
      return `${name} has weight ${weight}.`;
    };
  }

  /** @param {Snapshot | null} snapshot @param {string} name */
  open(snapshot, name) {
    this.#name = name;
    setText(this.#title, `Weight of ${name}`);
    this.#field.value = String(snapshot?.replicas.find((one) => one.name === name)?.weight ?? 1);
    this.#base.open();
    this.#field.focus();
    this.#field.select();
    this.#plan();
  }

  #plan() {
    const [name, weight] = [this.#name, this.#field.valueAsNumber];
    this.#base.enable(isWeight(weight));
    if (!isWeight(weight)) return this.#preview.clear(WEIGHT_WORDS);
    void this.#preview.show((signal) => this.#api.planWeigh({ [name]: weight }, signal), 'weights');
  }
}
