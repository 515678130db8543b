/** What a terminal would have shown of a program's output, and what of it the terminal would have obeyed. */

/** A text with all that could write on a screen, end a line, or be taken for a line of ours. */
export const HOSTILE =
  'x\u001b[2J\u001b]0;title\u0007\u009b2J\u009d0;title\u009c\u007f\u0000\b\t\v\f\u202eevil\u2066\u2028\u2029\u0085\r\nFORGED';

/** Colours, in which our own log is written. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const COLOUR = /\u001b\[\d+(?:;\d+)*m/g;

export interface Terminal {
  /** Without colours, with "\n" at the end of each line. */
  readonly shown: string;
  /** As it was written. */
  readonly raw: string;
  readonly status: number;
}

export interface TerminalOptions {
  readonly env?: Record<string, string | undefined>;
  readonly cwd?: string;
  readonly columns?: number;
  readonly colour?: boolean;
  /** What to do meanwhile; when it is done the program is told to end. Without it, it ends by itself. */
  readonly running?: (shown: () => string, pid: number) => Promise<void>;
}

/** Runs a program that takes its output for a terminal. */
export async function onTerminal(
  command: readonly string[],
  { env = process.env, cwd = process.cwd(), columns = 400, colour = true, running }: TerminalOptions = {},
): Promise<Terminal> {
  const decoder = new TextDecoder();
  const over = Promise.withResolvers<void>();
  let written = '';
  const shown = (): string => written.replaceAll(COLOUR, '').replaceAll('\r\n', '\n');
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env, NO_COLOR: colour ? undefined : '1', CI: undefined },
    terminal: {
      cols: columns,
      rows: 50,
      data: (_, bytes) => {
        written += decoder.decode(bytes, { stream: true });
      },
      exit: () => over.resolve(),
    },
  });
  try {
    await running?.(shown, child.pid);
  } finally {
    if (running !== undefined) child.kill('SIGTERM');
  }
  const status = await child.exited;
  await over.promise;
  return { shown: shown(), raw: written, status };
}

/** Characters in the text that a terminal obeys or hides, but for the ends of lines. */
export function controlsIn(shown: string): string[] {
  return [...shown].filter((char) => char !== '\n' && /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(char));
}
