import { describe, expect, test } from 'bun:test';
import { reportOf } from '../../src/lab/report.ts';
import { summaryOf } from '../../src/lab/summary.ts';
import { HOSTILE, resultsOf } from './results.ts';
import { wellFormed } from './xml.ts';

const results = resultsOf();
const page = reportOf(results);

/** As XML, which has no elements without an end, and no doctype. */
function asXml(html: string): string {
  return html
    .replace(/^<!doctype html>\n/, '')
    .replaceAll(/<(meta|br)\b([^>]*)>/g, '<$1$2/>')
    .replace(/<style>[^]*<\/style>/, '')
    .trim();
}

/** As it is read. */
function textOf(html: string): string {
  return html
    .replace(/<style>[^]*<\/style>/, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

describe('the report', () => {
  test('is well-formed, with every chart in it', () => {
    expect(wellFormed(asXml(page))).toBeUndefined();
    expect(page.match(/<svg /g)).toHaveLength(7);
    expect(page.match(/<title id=/g)).toHaveLength(7);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('has all sections', () => {
    const sections = [...page.matchAll(/<h2 id="([^"]+)"/g)].map((match) => match[1]);
    expect(sections).toEqual(['findings', 'set-up', 'a-1', 'a-2', 'a-3', 'a-4', 'diagnosis', 'again']);
  });

  test('needs nothing of anywhere else', () => {
    const links = [
      ...page.matchAll(/\b(?:src|href|xlink:href|action)=|url\(|@import|<script|<link|<img|<iframe/g),
    ];
    expect(links).toEqual([]);
    const addresses = [...page.matchAll(/[a-z]+:\/\/[^\s"<]+/g)].map((match) => match[0]);
    expect(new Set(addresses)).toEqual(new Set(['http://www.w3.org/2000/svg']));
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
  });

  test('says what was measured', () => {
    const text = textOf(page);
    expect(text).toContain('√(M (N − 1)) / N');
    // 100 requests on 3 servers: √200 / 3.
    expect(text).toContain('chance makes a deviation of 4.71');
    expect(text).toContain(
      'ring : the busiest server got 50 % (the map gives it 50 %), and the deviation is 2.6 times what chance makes. Chance alone is at least as uneven in fewer than 1 of 100 runs',
    );
    expect(text).toContain(
      'With ring the busiest of 3 servers has 1.50 times the mean. Its map gives one server 50 % of the keys, where 33 % is fair',
    );
    expect(text).toContain('ring 2.0 to 2.6 25 % 33 % maglev');
    expect(text).toContain('back after 100 ms (median of 8 kills)');
    expect(text).toContain('of the 600 requests that came meanwhile 4 failed');
    expect(text).toContain('has no key');
    expect(text).toContain(
      'bun run lab --requests 100 --replicas 2..3 --algorithms ring,maglev,rendezvous,course --runtime process --seed 1',
    );
  });

  test('names nobody best where the maps are even', () => {
    const even = [1 / 3, 1 / 3, 1 / 3];
    const of = {
      ring: { counts: [300, 320, 310], shares: [0.33, 0.344, 0.326] },
      maglev: { counts: [310, 310, 310], shares: even },
      rendezvous: { counts: [100, 100, 730], shares: even },
      course: { counts: [930, 0, 0], shares: [0.9, 0.1, 0] },
    };
    const live = results.live.map((one) => ({ ...one, even: { ...one.even, ...of[one.algorithm] } }));
    const text = textOf(reportOf({ ...results, live }));
    expect(text).toContain(
      'With maglev and rendezvous the busiest of 3 servers has 1.00 to 2.35 times the mean. These maps are even, so this is chance, and which is ahead is luck.',
    );
    expect(text).toContain(
      'With ring the busiest of 3 servers has 1.03 times the mean. Its map gives one server 34 % of the keys',
    );
    expect(text).toContain('With course the busiest of 3 servers has 3.00 times the mean.');
  });

  test('judges nothing by too few requests', () => {
    const textWith = (requests: number): string =>
      textOf(reportOf({ ...results, options: { ...results.options, requests } }));
    expect(textWith(14).match(/too few requests to judge, fewer than 5 for each server/g)).toHaveLength(4);
    expect(textWith(14)).not.toContain('changes most');
    expect(textWith(15)).not.toContain('too few');
  });

  test('of one replica says that there was no other to ask', () => {
    const live = results.live.map((one) => ({
      ...one,
      grown: one.grown.slice(0, 1).map((grown) => ({ ...grown, names: ['server-1'], counts: [100] })),
      kills: one.kills.slice(0, 1),
    }));
    const text = textOf(reportOf({ ...results, live, numbers: [1] }));
    expect(text).toContain('With one replica there is no other to ask');
    expect(text).toContain('(median of 4 kills)');
    expect(text).not.toContain('NaN');
  });

  test('has the figures of the diagnosis as they were computed', () => {
    const { reached, anatomies } = results.diagnosis;
    expect(page).toContain(`H reaches ${reached.length} of 512 slots`);
    for (const { gap, reachedInGap } of anatomies)
      expect(page).toContain(`<td>${gap.length}</td><td>${reachedInGap} of ${reached.length}</td>`);
  });

  test('takes what servers say for text', () => {
    const hostile = reportOf(resultsOf([HOSTILE, '"><svg onload=x>', '</style>']));
    expect(hostile).not.toContain('<script');
    expect(hostile).not.toContain('<svg onload');
    expect(hostile.match(/<\/style>/g)).toHaveLength(1);
    expect(wellFormed(asXml(hostile))).toBeUndefined();
  });

  test('of one algorithm alone compares it with no other', () => {
    const [live] = results.live;
    const alone = reportOf({ ...results, live: live === undefined ? [] : [live] });
    expect(alone).not.toContain('is luck');
    expect(wellFormed(asXml(alone))).toBeUndefined();
  });
});

test('the summary has a line for each algorithm, under heads that stand over their columns', () => {
  const [, head = '', ...rows] = summaryOf(results).trimEnd().split('\n');
  expect(rows).toHaveLength(4);
  expect(rows[0]).toBe('ring                1.50         12   25 %        1/1      100 ms       1');
  for (const row of rows) expect(row.length).toBe(head.length);
});
