import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { csvOf, filesOf } from '../../src/lab/csv.ts';
import { HOSTILE, resultsOf } from './results.ts';

const SEED = 22;

/** A reader of RFC 4180 that knows nothing of the writer. */
function rowsOf(text: string): string[][] {
  const rows: string[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (match === null) throw new Error('not as RFC 4180 has it');
    rows.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\r\n') rows.push([]);
  }
  return rows.slice(0, -1);
}

describe('CSV', () => {
  test('is read back as it was written', () => {
    const cell = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => !/^[=+\-@\t\r]/.test(text));
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), (rows) => {
        expect(rowsOf(csvOf(['a', 'b'], rows))).toEqual([['a', 'b'], ...rows]);
      }),
      { seed: SEED },
    );
  });

  test('has numbers with a point, without noise of the arithmetic, and nothing where nothing is', () => {
    expect(csvOf(['a', 'b', 'c'], [[0.1 + 0.2, -5, undefined]])).toBe('a,b,c\r\n0.3,-5,\r\n');
  });

  test('has no text that a spreadsheet takes for a formula', () => {
    for (const text of ['=1+1', '+1', '-1', '@x', '\tx'])
      expect(rowsOf(csvOf(['a'], [[text]]))[1]).toEqual([`'${text}`]);
  });

  test('files have a head, and each row as many fields', () => {
    const files = filesOf(resultsOf([HOSTILE, 'b', 'c']));
    expect(files.map(([name]) => name)).toEqual([
      'a1-requests-per-server.csv',
      'a2-growing.csv',
      'a2-requests-per-server.csv',
      'a3-endpoints.csv',
      'a3-kills.csv',
      'a4-hash-functions.csv',
      'diagnosis-servers.csv',
      'diagnosis-cures.csv',
    ]);
    for (const [, text] of files) {
      const [head = [], ...rows] = rowsOf(text);
      expect(rows.length).toBeGreaterThan(3);
      for (const row of rows) expect(row).toHaveLength(head.length);
    }
    const first = rowsOf(files[0]?.[1] ?? '');
    expect(first[1]).toEqual(['ring', '3', `'${HOSTILE}`, '30', '0.3']);
  });
});
