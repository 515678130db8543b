import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';

const ROOT = new URL('../..', import.meta.url).pathname;
const text = readFileSync(`${ROOT}SECURITY.md`, 'utf8');

/** Each test that the text names: `file`: “title”, “title”. A title may go on in the next line. */
const named = [...text.matchAll(/`(tests\/[^`]+\.ts)`:((?:\s*“[^”]+”,?)+)/g)].flatMap(
  ([, file = '', titles = '']) =>
    [...titles.matchAll(/“([^”]+)”/g)].map(
      (title) => [file, (title[1] as string).replaceAll(/\s+/g, ' ')] as const,
    ),
);

/** Titles of tests, and of groups of them, that a file has as they are written there. */
function titlesOf(file: string): string[] {
  const source = readFileSync(ROOT + file, 'utf8');
  const TITLE = /(?:\b(?:test|describe)\(|\)\()\s*(?:'((?:[^'\\\n]|\\.)*)'|`([^`]*)`|"([^"\n]*)")\s*,/g;
  return [...source.matchAll(TITLE)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

describe('SECURITY.md', () => {
  test('names tests, for every promise one at least', () => {
    const promises = text.slice(text.indexOf('## What is promised'), text.indexOf('## What is not promised'));
    const items = promises.split('\n- ').slice(1);
    expect(items.length).toBeGreaterThan(15);
    for (const item of items) expect(item).toMatch(/`tests\/[^`]+`:\s*“/);
    // All that looks like the name of a test is read as one.
    expect(named.length).toBe([...text.matchAll(/“/g)].length);
  });

  test.each(named)('%s has the test “%s”', (file, title) => {
    expect(existsSync(ROOT + file)).toBe(true);
    expect(titlesOf(file)).toContain(title);
  });

  test('names every file of tests that is about security', () => {
    const files = [...new Bun.Glob('tests/security/*.test.ts').scanSync(ROOT)];
    const own = 'tests/security/promises.test.ts';
    const unnamed = files.filter((file) => file !== own && !named.some(([one]) => one === file));
    expect(unnamed).toEqual([]);
  });

  test('invents no address to write to', () => {
    expect(text).not.toMatch(/[\w.+-]+@[\w-]+\.\w+|mailto:/);
  });
});
