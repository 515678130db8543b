/** `bun run lab`: the analyses of the assignment as a report, or the verdict on somebody's implementation. */
import { createInterface } from 'node:readline/promises';
import { printable } from '../config.ts';
import { Terminal, wantsColour } from '../terminal.ts';
import { grade } from './grade/grade.ts';
import { Unreachable } from './grade/scene.ts';
import { exitCodeOf, pointLines, scoreLines, verdictJson } from './grade/verdict.ts';
import { runLab } from './lab.ts';
import { parseCommand, UsageError, type GradeOptions, type LabOptions } from './options.ts';
import { Interrupted, LabError } from './subject.ts';

const FAILED = 1;
/** Of wrong usage, and of a server that can't be reached. */
const NOT_POSSIBLE = 2;
/** One press of Ctrl-C reaches us from the terminal and again from `bun run`: what comes this soon is the same one. */
const SIGNAL_ECHO_MS = 250;
const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const terminal = openTerminal();
const stopping = new AbortController();
let askedAtMs: number | undefined;
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));

try {
  const command = parseCommand(process.argv.slice(2), process.env);
  if (command.kind === 'help') process.stdout.write(command.text);
  else
    process.exitCode = await (command.kind === 'grade' ? gradeIt(command.options) : study(command.options));
} catch (error) {
  terminal.end();
  if (error instanceof Interrupted) process.exitCode ??= SIGNAL_STATUS.SIGINT;
  else refuse(error);
}

/** Ends in order: what was started is ended, and what was changed is put back. Who asks twice does not wait for that. */
function stop(signal: keyof typeof SIGNAL_STATUS): void {
  const nowMs = performance.now();
  if (askedAtMs !== undefined && nowMs - askedAtMs > SIGNAL_ECHO_MS) process.exit(SIGNAL_STATUS[signal]);
  if (askedAtMs === undefined && signal === 'SIGINT') {
    terminal.end();
    process.stderr.write('ending in order; Ctrl-C again leaves behind what is there\n');
  }
  askedAtMs ??= nowMs;
  process.exitCode = SIGNAL_STATUS[signal];
  stopping.abort();
}

function refuse(error: unknown): void {
  const known = error instanceof UsageError || error instanceof LabError || error instanceof Unreachable;
  if (!known) throw error;
  process.exitCode = error instanceof LabError ? FAILED : NOT_POSSIBLE;
  process.stderr.write(`${printable(error.message)}\n`);
}

async function study(options: LabOptions): Promise<number> {
  await runLab({
    options,
    terminal,
    signal: stopping.signal,
    now: () => performance.now(),
    date: new Date(),
  });
  return 0;
}

async function gradeIt({ json, yes, ...access }: GradeOptions): Promise<number> {
  const { url } = access;
  if (!yes && !(await agreed(url))) return NOT_POSSIBLE;
  const look = { colour: terminal.colour, columns: terminal.columns };
  try {
    const verdict = await grade({
      ...access,
      now: () => performance.now(),
      onPoint: (point) => json || terminal.print(pointLines(point, look)),
      signal: stopping.signal,
    });
    terminal.print(json ? verdictJson(verdict) : `\n${scoreLines(verdict)}`);
    return stopping.signal.aborted ? Number(process.exitCode ?? SIGNAL_STATUS.SIGINT) : exitCodeOf(verdict);
  } catch (error) {
    if (error instanceof Unreachable)
      throw new Unreachable(
        `${url} does not answer (${error.message}): start the balancer, or check the URL${/certificate/i.test(error.message) ? '; --insecure takes any certificate' : ''}`,
      );
    throw error;
  }
}

/** Whether the servers at the URL may be changed: who can't be asked has to say so before. */
async function agreed(url: string): Promise<boolean> {
  const change = `This adds and removes servers at ${url}, and puts them back`;
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true)
    throw new UsageError(`${change}: say --yes to agree`);
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await prompt.question(`${change}. Go on? [y/N] `, { signal: stopping.signal });
    return /^y(?:es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    prompt.close();
  }
}

function openTerminal(): Terminal {
  const isTerminal = process.stdout.isTTY === true;
  return new Terminal({
    screen: {
      write: (text) => void process.stdout.write(text),
      get columns() {
        return process.stdout.columns;
      },
    },
    colour: isTerminal && wantsColour(process.env),
    rewrites: isTerminal && process.env['TERM'] !== 'dumb',
    now: () => performance.now(),
    every: (ms, act) => {
      const timer = setInterval(act, ms);
      timer.unref();
      return () => clearInterval(timer);
    },
  });
}
