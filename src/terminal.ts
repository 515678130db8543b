import { printable } from './config.ts';

/** What is written to, as it is. */
export interface Screen {
  write(text: string): void;
  /** How wide it is now; undefined or 0 where nobody knows. */
  readonly columns: number | undefined;
}

export interface TerminalOptions {
  readonly screen: Screen;
  readonly colour: boolean;
  /** Whether a line may be written anew in its place. */
  readonly rewrites: boolean;
  /** Milliseconds that only ever grow. */
  readonly now: () => number;
  /** Calls `act` again and again until what it gives is called. */
  readonly every: (ms: number, act: () => void) => () => void;
}

/** How often the line of what is under way is drawn, in ms. */
const FRAME_MS = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
/** From here on it is told for how long it has been under way, in ms. */
const TIME_SHOWN_FROM_MS = 2000;
const COLUMNS_UNKNOWN = 80;

const BOLD = '1';
const DIM = '2';
const CYAN = '36';

/**
 * The operator's screen: whole lines, and below the last of them, as long as something is under way, one that is written
 * anew in its place.
 */
export class Terminal {
  readonly colour: boolean;
  readonly #options: TerminalOptions;
  #text: string | undefined;
  #beganMs = 0;
  #frame = 0;
  #still: () => void = () => {};

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.colour = options.colour;
  }

  /** How much fits into a line. */
  get columns(): number {
    const { columns = 0 } = this.#options.screen;
    return columns > 0 ? columns : COLUMNS_UNKNOWN;
  }

  /** Whether something is under way. */
  get busy(): boolean {
    return this.#text !== undefined;
  }

  /** Shows that something is under way until `end`; false where this can't be shown. */
  begin(text: string): boolean {
    const { rewrites, now, every } = this.#options;
    if (!rewrites) return false;
    this.#still();
    this.#beganMs = now();
    this.#text = text;
    this.#still = every(FRAME_MS, () => {
      this.#frame++;
      this.#draw();
    });
    this.#draw();
    return true;
  }

  /** How far it has come. */
  step(text: string): void {
    if (!this.busy) return;
    this.#text = text;
    this.#draw();
  }

  /** The line of what was under way is gone. */
  end(): void {
    if (!this.busy) return;
    this.#still();
    this.#still = () => {};
    this.#text = undefined;
    this.#options.screen.write(ERASED);
  }

  /** Writes whole lines, each with its end. */
  print(lines: string): void {
    this.#options.screen.write(this.busy ? ERASED + lines : lines);
    this.#draw();
  }

  bold(text: string): string {
    return this.colour ? painted(text, BOLD) : text;
  }

  dim(text: string): string {
    return this.colour ? painted(text, DIM) : text;
  }

  #draw(): void {
    if (this.#text === undefined) return;
    const elapsedMs = this.#options.now() - this.#beganMs;
    const { columns, colour } = this;
    const line = progressLine({ text: this.#text, frame: this.#frame, elapsedMs, columns, colour });
    // Erased behind it, not before: what is blank in between flickers.
    this.#options.screen.write(`\r${line}${ERASE_REST}`);
  }
}

const ERASE_REST = '\u001b[K';
const ERASED = `\r${ERASE_REST}`;

export interface ProgressLook {
  readonly text: string;
  readonly frame: number;
  readonly elapsedMs: number;
  readonly columns: number;
  readonly colour: boolean;
}

/** One line that never reaches the last column: a terminal may wrap there, and what is wrapped can't be written anew. */
export function progressLine({ text, frame, elapsedMs, columns, colour }: ProgressLook): string {
  const spinner = SPINNER[frame % SPINNER.length] as string;
  const time = elapsedMs >= TIME_SHOWN_FROM_MS ? ` ${Math.floor(elapsedMs / 1000)} s` : '';
  const room = columns - 1 - widthOf(`${spinner} ${time}`);
  if (room < 1) return cut(printable(text), Math.max(0, columns - 1));
  const shown = cut(printable(text), room);
  if (!colour) return `${spinner} ${shown}${time}`;
  return `${painted(spinner, CYAN)} ${shown}${time === '' ? '' : painted(time, DIM)}`;
}

function painted(text: string, code: string): string {
  return `\u001b[${code}m${text}\u001b[0m`;
}

/** At most: what is not ASCII may take two columns, and no terminal takes more. */
function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += char <= '~' ? 1 : 2;
  return width;
}

const CUT_MARK = '…';

/** What fits, with a mark where something is missing. */
function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let shown = '';
  let left = columns - widthOf(CUT_MARK);
  for (const char of text) {
    left -= widthOf(char);
    if (left < 0) break;
    shown += char;
  }
  return columns < widthOf(CUT_MARK) ? '' : shown + CUT_MARK;
}

/** Words in lines of at most so many columns; a word that is longer is left whole, for it may be an address to click on. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(`${last} ${word}`) <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Whether the operator wants colours (https://no-color.org), and has a terminal that can show them. */
export function wantsColour({ NO_COLOR, TERM }: Readonly<Record<string, string | undefined>>): boolean {
  return (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
