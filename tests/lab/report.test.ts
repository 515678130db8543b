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
    const text = page.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain('√(M (N − 1)) / N');
    // 100 requests on 3 servers: √200 / 3.
    expect(text).toContain('chance makes a deviation of 4.71');
    expect(text).toContain(
      'ring : the busiest server got 50 % (the map gives it 50 %), and the deviation is 2.6 times what chance makes: alone it is as uneven in fewer than 1 of 100 runs',
    );
    expect(text).toContain(
      'With ring the busiest of 3 servers has 1.50 times the mean, 50 % of all requests',
    );
    expect(text).toContain('With ring the deviation is 2.0 to 2.6 times what chance makes');
    expect(text).toContain('back after 100 ms (median of 8 kills)');
    expect(text).toContain('of the 600 requests that came meanwhile 4 failed');
    expect(text).toContain('has no key');
    expect(text).toContain(
      'bun run lab --requests 100 --replicas 2..3 --algorithms ring,maglev,rendezvous,course --seed 1',
    );
  });

  test('names nobody best where chance may have made the difference', () => {
    const counts = {
      ring: [300, 320, 310],
      maglev: [310, 310, 310],
      rendezvous: [100, 100, 730],
      course: [930, 0, 0],
    };
    const text = reportOf({
      ...results,
      live: results.live.map((one) => ({ ...one, even: { ...one.even, counts: counts[one.algorithm] } })),
    });
    expect(text).toContain(
      'as even as chance lets them be with maglev and ring: the busiest has 1.00 to 1.03 times the mean, and who of them is ahead is luck.',
    );
    expect(text.match(/more than chance makes, so it is the map/g)).toHaveLength(2);
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
