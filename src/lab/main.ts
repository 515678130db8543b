/** `bun run lab`: the analyses of the assignment as a report, or the verdict on somebody's implementation. */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { printable } from '../config.ts';
import { Terminal, wantsColour } from '../terminal.ts';
import { Belongings, FORCE_TIMEOUT_MS } from './belongings.ts';
import { Interrupted, LabError } from './errors.ts';
import { grade } from './grade/grade.ts';
import { Unreachable } from './grade/scene.ts';
import { exitCodeOf, pointLines, scoreLines, verdictJson } from './grade/verdict.ts';
import { runLab } from './lab.ts';
import { parseCommand, UsageError, type GradeOptions, type LabOptions } from './options.ts';

const FAILED = 1;
/** Of wrong usage, and of a server that can't be reached. */
const NOT_POSSIBLE = 2;
/** One press of Ctrl-C reaches us from the terminal and again from `bun run`: what comes this soon is the same one. */
const SIGNAL_ECHO_MS = 250;
/** A call that an engine never answers keeps no process for longer when all is said. */
const EXIT_TIMEOUT_MS = 5000;
const SIGNAL_STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const terminal = openTerminal();
const belongings = new Belongings();
const stopping = new AbortController();
let presses = 0;
let pressedAtMs = Number.NEGATIVE_INFINITY;
/** What a second press does. */
let again = 'again removes by force what was started';
// Who has read it has gone, or the terminal has closed: what was started is ended all the same.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));

try {
  const command = parseCommand(process.argv.slice(2), process.env);
  if (command.kind === 'help') process.stdout.write(command.text);
  else {
    if (command.kind === 'grade') again = 'again leaves the servers as they are';
    process.exitCode = await (command.kind === 'grade' ? gradeIt(command.options) : study(command.options));
  }
} catch (error) {
  terminal.end();
  if (error instanceof Interrupted) process.exitCode ??= SIGNAL_STATUS.SIGINT;
  else refuse(error);
} finally {
  // Not where it is ended by force: that has a limit of its own.
  setTimeout(() => presses < 2 && process.exit(), EXIT_TIMEOUT_MS).unref();
}

/** Ends in order: what was started is ended, and what was changed is put back. Who asks again waits for less. */
function stop(signal: keyof typeof SIGNAL_STATUS): void {
  const nowMs = performance.now();
  if (nowMs - pressedAtMs <= SIGNAL_ECHO_MS) return;
  pressedAtMs = nowMs;
  presses++;
  process.exitCode = SIGNAL_STATUS[signal];
  if (presses > 2) leave(SIGNAL_STATUS[signal], belongings.left());
  terminal.end();
  if (presses === 2) {
    stopping.abort();
    void endByForce(SIGNAL_STATUS[signal]);
    return;
  }
  if (signal === 'SIGINT') tell(`ending in order; Ctrl-C ${again}`);
  stopping.abort();
}

async function endByForce(status: number): Promise<void> {
  const left = belongings.left();
  if (left !== '')
    tell(`removing by force what was started, for ${FORCE_TIMEOUT_MS / 1000} s at most; once more leaves it`);
  const why = await belongings.endByForce().then(
    () => '',
    (error: Error) => error.message,
  );
  leave(status, why);
}

function leave(status: number, text: string): never {
  terminal.end();
  if (text !== '') tell(text);
  process.exit(status);
}

/** At once: the end may come right behind it. */
function tell(text: string): void {
  const lines = text
    .split('\n')
    .map((line) => `${printable(line)}\n`)
    .join('');
  try {
    writeSync(process.stderr.fd, lines);
  } catch {
    // Who reads is slow, or there is nobody.
    process.stderr.write(lines);
  }
}

function refuse(error: unknown): void {
  // What breaks off by force is not an error of its own, and it is told there what is left.
  if (presses > 1) return;
  const known = error instanceof UsageError || error instanceof LabError || error instanceof Unreachable;
  if (!known) throw error;
  process.exitCode = error instanceof LabError ? FAILED : NOT_POSSIBLE;
  tell(error.message);
}

async function study(options: LabOptions): Promise<number> {
  await runLab({
    options,
    terminal,
    signal: stopping.signal,
    now: () => performance.now(),
    date: new Date(),
    belongings,
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
