import { describe, expect, test } from 'bun:test';
import { progressLine, Terminal, wantsColour, wrapped, type TerminalOptions } from '../src/terminal.ts';
import { controlsIn, HOSTILE } from './security/terminal.ts';

const look = { text: 'starting', frame: 0, elapsedMs: 0, columns: 80, colour: false };

/** At most, by the widest that each may be. */
function widthOf(text: string): number {
  return [...text].reduce((width, char) => width + (char <= '~' ? 1 : 2), 0);
}

describe('the line of what is under way', () => {
  test('has a mark that turns, the text, and after a while the time', () => {
    expect(progressLine(look)).toBe('⠋ starting');
    expect(progressLine({ ...look, frame: 11, elapsedMs: 1999 })).toBe('⠙ starting');
    expect(progressLine({ ...look, elapsedMs: 2000 })).toBe('⠋ starting 2 s');
    expect(progressLine({ ...look, elapsedMs: 61_999 })).toBe('⠋ starting 61 s');
  });

  test('is cut, and keeps the time', () => {
    const text = 'build: [dependencies 4/4] RUN bun install --frozen-lockfile --production';
    expect(progressLine({ ...look, text, columns: 40, elapsedMs: 12_345 })).toBe(
      '⠋ build: [dependencies 4/4] RUN… 12 s',
    );
  });

  test('never reaches the last column, however narrow the terminal, and whatever the text', () => {
    for (const text of ['starting', 'x'.repeat(500), '漢字'.repeat(50), '🎪'.repeat(50), HOSTILE, ''])
      for (const elapsedMs of [0, 5000, 1e9])
        for (let columns = 1; columns <= 120; columns++) {
          const line = progressLine({ ...look, text, elapsedMs, columns });
          expect(widthOf(line)).toBeLessThan(Math.max(columns, 1));
          expect(controlsIn(line)).toEqual([]);
          expect(line).not.toContain('\n');
        }
  });

  test('has colours only where they are wanted', () => {
    expect(progressLine({ ...look, colour: true, elapsedMs: 3000 })).toBe(
      '\u001b[36m⠋\u001b[0m starting\u001b[2m 3 s\u001b[0m',
    );
  });
});

class Rig {
  written = '';
  timers = 0;
  nowMs = 0;
  tick = (): void => {};
  readonly terminal: Terminal;

  constructor(more: Partial<TerminalOptions> = {}) {
    this.terminal = new Terminal({
      screen: { write: (text) => void (this.written += text), columns: 80 },
      colour: false,
      rewrites: true,
      now: () => this.nowMs,
      every: (_, act) => {
        this.timers++;
        this.tick = act;
        return () => void this.timers--;
      },
      ...more,
    });
  }

  /** What was written since it was asked last. */
  news(): string {
    const { written } = this;
    this.written = '';
    return written.replaceAll('\u001b[K', '<erase>');
  }
}

describe('a terminal', () => {
  test('writes what is under way anew in its place, and erases it at the end', () => {
    const rig = new Rig();
    expect(rig.terminal.begin('starting')).toBe(true);
    expect(rig.news()).toBe('\r⠋ starting<erase>');
    rig.terminal.step('1 of 3');
    expect(rig.news()).toBe('\r⠋ 1 of 3<erase>');
    rig.nowMs = 2500;
    rig.tick();
    expect(rig.news()).toBe('\r⠙ 1 of 3 2 s<erase>');
    rig.terminal.end();
    expect(rig.news()).toBe('\r<erase>');
    expect(rig.timers).toBe(0);
  });

  test('that has lines to print clears it first, and draws it again below them', () => {
    const rig = new Rig();
    rig.terminal.begin('starting');
    rig.news();
    rig.terminal.print('a warning\n');
    expect(rig.news()).toBe('\r<erase>a warning\n\r⠋ starting<erase>');
    rig.terminal.end();
    rig.news();
    rig.terminal.print('a line\n');
    expect(rig.news()).toBe('a line\n');
  });

  test('is calm when nothing is under way', () => {
    const rig = new Rig();
    rig.terminal.step('late');
    rig.terminal.end();
    expect([rig.news(), rig.timers]).toEqual(['', 0]);
  });

  test('that can’t write a line anew is told of none', () => {
    const rig = new Rig({ rewrites: false });
    expect(rig.terminal.begin('starting')).toBe(false);
    rig.terminal.step('1 of 3');
    rig.terminal.print('a line\n');
    rig.terminal.end();
    expect([rig.news(), rig.timers]).toEqual(['a line\n', 0]);
  });

  test.each([undefined, 0])('that says %p for its width is taken for a usual one', (columns) => {
    const rig = new Rig({ screen: { write: () => {}, columns } });
    expect(rig.terminal.columns).toBe(80);
  });
});

test.each([
  ['a bb ccc', 80, ['a bb ccc']],
  ['a bb ccc', 4, ['a bb', 'ccc']],
  ['http://localhost:5000/swagger is there', 10, ['http://localhost:5000/swagger', 'is there']],
  ['', 10, ['']],
])('%j in lines of %d columns', (text, columns, lines) => {
  expect(wrapped(text, columns)).toEqual(lines);
});

test.each([
  [{}, true],
  [{ TERM: 'xterm-256color' }, true],
  [{ NO_COLOR: '' }, true],
  [{ NO_COLOR: '1' }, false],
  [{ NO_COLOR: '0' }, false],
  [{ TERM: 'dumb' }, false],
])('with %j colours are wanted: %p', (env, wanted) => {
  expect(wantsColour(env)).toBe(wanted);
});
