import { expect, test } from 'bun:test';
import { fileURLToPath } from 'node:url';
import { printable } from '../src/config.ts';
import { withoutSecrets } from '../src/log.ts';
import { controlsIn, HOSTILE, onTerminal } from './security/terminal.ts';

const LOG = fileURLToPath(new URL('../src/log.ts', import.meta.url));

test('a text is shown without what a terminal obeys', () => {
  expect(printable('a\u001b[31m\u009b2J\u007f\r\n\t\u202e\u2028é✓')).toBe(
    'a\\u{1b}[31m\\u{9b}2J\\u{7f}\\u{d}\\u{a}\\u{9}\\u{202e}\\u{2028}é✓',
  );
});

// What went wrong: the message was written as it was, and the C1 controls in every field.
test('on a terminal, no field, message or error of the log can write on the screen', async () => {
  const lines = [
    `log.info({ output: hostile, nested: { list: [hostile] } }, 'told: ' + hostile)`,
    `log.error({ err: Object.assign(new Error(hostile), { code: hostile, cause: new Error(hostile) }) }, 'failed')`,
  ];
  const script = `
    import { openLog } from ${JSON.stringify(LOG)};
    const log = openLog('info');
    const hostile = ${JSON.stringify(HOSTILE)};
    ${lines.join('\n')}`;
  const { shown } = await onTerminal([process.execPath, '-e', script]);
  expect(shown).toContain('told: ');
  expect(shown).toContain('failed');
  expect(controlsIn(shown)).toEqual([]);
  // A line of its own would look like one of ours.
  expect(shown).not.toMatch(/^FORGED/m);
});

test.each([
  ['GET http://h/a?token=x&b=y failed', 'GET http://h/a?… failed'],
  ['"http://h/a?token=x"', '"http://h/a?…"'],
  ['http://h/a?token', 'http://h/a?…'],
  ['GET /a/b?token, then nothing', 'GET /a/b?… then nothing'],
  ["path: '/a?b=c'", "path: '/a?…'"],
  ['http://user:pass@h/a', 'http://…@h/a'],
  ['what? no = here', 'what? no = here'],
  ['docker: (HTTP code 404) no such image', 'docker: (HTTP code 404) no such image'],
  ['at a (http://h/file.ts?t=1:2:3)', 'at a (http://h/file.ts?…'],
])('of the text %j of an error is logged %j', (text, logged) => {
  expect(withoutSecrets(text)).toBe(logged);
});
