import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import {
  columnChart,
  decades,
  figure,
  lineChart,
  rowChart,
  slotChart,
  ticksTo,
  type Chart,
} from '../../src/lab/chart.ts';
import { escaped, markup } from '../../src/lab/markup.ts';
import { wellFormed } from './xml.ts';

const SEED = 21;
const caption = { id: 'x', title: 'A <title>', description: 'a & b "c"' };
const numbers = (chart: Chart, element: string, attribute: string): number[] =>
  [...chart.svg.text.matchAll(new RegExp(`<${element} [^>]*?\\b${attribute}="([-\\d.]+)"`, 'g'))].map(
    (match) => Number(match[1]),
  );

describe('escaping', () => {
  test('makes text of whatever a server says', () => {
    expect(markup`<b title="${'"><script>'}">${'<i>&'}</b>${undefined}${[1, markup`<br>`]}`.text).toBe(
      '<b title="&quot;&gt;&lt;script&gt;">&lt;i&gt;&amp;</b>1<br>',
    );
  });

  test('leaves nothing that XML has no character for', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        expect(wellFormed(`<a b="${escaped(text)}">${escaped(text)}</a>`)).toBeUndefined();
      }),
      { seed: SEED },
    );
    expect(escaped('\u0000\ud800')).toBe('\ufffd\ufffd');
  });
});

describe('axes', () => {
  test('have round ticks from 0 to at least the largest, and few of them', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (max) => {
        const ticks = ticksTo(max);
        expect(ticks[0]).toBe(0);
        expect(ticks.at(-1)).toBeGreaterThanOrEqual(max * (1 - 1e-9));
        expect(ticks.at(-2)).toBeLessThan(max);
        expect(ticks.length).toBeWithin(3, 8);
      }),
      { seed: SEED },
    );
    expect(ticksTo(8428)).toEqual([0, 2000, 4000, 6000, 8000, 10_000]);
    expect(ticksTo(0)).toEqual([0, 1]);
  });

  test('of powers of ten hold all values', () => {
    expect(decades(28, 3612)).toEqual([10, 100, 1000, 10_000]);
    expect(decades(10, 10)).toEqual([10, 100]);
  });

  test('write numbers with the digits that are read', () => {
    expect([0, 3, 47.1405, 103.4, 3333.33, 0.0123].map(figure)).toEqual([
      '0',
      '3',
      '47.1',
      '103',
      '3,333',
      '0.0123',
    ]);
  });
});

describe('charts', () => {
  test('columns are as high as their values', () => {
    const values = [100, 50, 0];
    const chart = columnChart({
      ...caption,
      yLabel: 'requests',
      groups: [
        { label: 'ring', columns: values.map((value, i) => ({ label: String(i), value, colour: 's0' })) },
      ],
      reference: { value: 50, label: 'fair' },
    });
    const heights = numbers(chart, 'rect', 'height');
    expect(heights[1]).toBeCloseTo((heights[0] as number) / 2, 1);
    expect(heights[2]).toBe(0);
    expect(chart.svg.text).toContain('>100</text>');
    expect(wellFormed(chart.svg.text)).toBeUndefined();
  });

  test.each([3, 3333, 33_333, 333_333])('columns of %i have room for their values side by side', (value) => {
    const columns = Array.from({ length: 3 }, (_, i) => ({ label: String(i), value, colour: 's0' }));
    const chart = columnChart({
      ...caption,
      yLabel: 'requests',
      groups: ['ring', 'maglev', 'rendezvous', 'course'].map((label) => ({ label, columns })),
    });
    const size = Number(/font-size:([\d.]+)px/.exec(chart.svg.text)?.[1]);
    const [first = 0, second = 0] = numbers(chart, 'rect', 'x');
    // Digits of a usual font are 0.55 to 0.6 of its size wide, and a comma half of that.
    expect(figure(value).length * size * 0.55).toBeLessThanOrEqual(second - first);
    expect(size).toBeWithin(6, 10);
  });

  test.each([90, 9000, 90_000, 900_000, 9_000_000])('the axis of %i has room for its numbers', (value) => {
    const { svg } = lineChart({
      ...caption,
      series: [{ label: 'x', colour: 's0', points: [{ x: 1, y: value }] }],
      xLabel: 'servers',
      yLabel: 'requests',
      scale: 'linear',
    });
    const written = [...svg.text.matchAll(/<text class="tick" x="([\d.]+)" [^>]*end">([^<]+)</g)];
    expect(written.length).toBeGreaterThan(2);
    for (const [, end, text] of written) expect((text ?? '').length * 6.6).toBeLessThanOrEqual(Number(end));
  });

  test('no line goes through the value of a column', () => {
    const columns = [9, 98, 99, 100, 101, 102, 110].map((value) => ({ label: '', value, colour: 's0' }));
    const { svg } = columnChart({
      ...caption,
      yLabel: 'requests',
      groups: [{ label: 'x', columns }],
      reference: { value: 100, label: '100' },
    });
    const line = Number(/class="reference" [^>]*y1="([\d.]+)"/.exec(svg.text)?.[1]);
    const values = [
      ...svg.text.matchAll(/class="value" style="font-size:([\d.]+)px" x="[\d.]+" y="([\d.]+)"/g),
    ];
    expect(values).toHaveLength(columns.length);
    for (const [, size, y] of values) expect(line > Number(y) || line < Number(y) - Number(size)).toBe(true);
  });

  test('lines go through their points, in the order of x, down where y grows', () => {
    const chart = lineChart({
      ...caption,
      series: [
        {
          label: 'a',
          colour: 's0',
          points: [
            { x: 2, y: 0 },
            { x: 4, y: 5 },
            { x: 6, y: 10 },
          ],
        },
        {
          label: 'b',
          colour: 's1',
          expected: true,
          points: [
            { x: 2, y: 5 },
            { x: 6, y: 5 },
          ],
        },
      ],
      xLabel: 'servers',
      yLabel: 'requests',
      scale: 'linear',
    });
    const points = /<polyline class="line s0" points="([^"]+)"/
      .exec(chart.svg.text)?.[1]
      ?.split(' ')
      .map((point) => point.split(',').map(Number));
    const [[x0, y0], [x1, y1], [x2, y2]] = points as [[number, number], [number, number], [number, number]];
    expect([x1, y1]).toEqual([(x0 + x2) / 2, (y0 + y2) / 2]);
    expect(x0).toBeLessThan(x2);
    expect(y0).toBeGreaterThan(y2);
    expect(wellFormed(chart.svg.text)).toBeUndefined();
  });

  test('on a scale of powers of ten steps of ten are equal, and 0 is at the bottom', () => {
    const chart = lineChart({
      ...caption,
      series: [{ label: 'a', colour: 's0', points: [10, 100, 1000, 0].map((y, x) => ({ x, y })) }],
      xLabel: '',
      yLabel: '',
      scale: 'log',
    });
    const [a = 0, b = 0, c = 0, zero = 0] = numbers(chart, 'circle', 'cy');
    expect(a - b).toBeCloseTo(b - c, 1);
    expect(zero).toBe(a);
  });

  test('rows keep their texts inside', () => {
    const chart = rowChart({
      ...caption,
      rows: [
        { label: 'ring', value: 10, stroke: 3000, colour: 's0', text: '10 ms (3000 ms)' },
        { label: 'none', value: 0, colour: 's0', text: '0 ms' },
      ],
      reference: { value: 1, label: 'one' },
    });
    const texts = [...chart.svg.text.matchAll(/class="value" x="([\d.]+)"[^>]*>([^<]*)</g)];
    for (const [, x, text] of texts) expect(Number(x) + (text?.length ?? 0) * 6).toBeLessThan(420);
    expect(wellFormed(chart.svg.text)).toBeUndefined();
  });

  test('slots are all drawn, with a dot for each that is reached', () => {
    const chart = slotChart({
      ...caption,
      perLine: 4,
      slots: Array.from({ length: 10 }, (_, i) => ({
        colour: 's0',
        virtual: i === 3 ? '1' : undefined,
        reached: i % 2 === 0,
      })),
    });
    expect(numbers(chart, 'rect', 'x')).toHaveLength(10);
    expect(numbers(chart, 'circle', 'cx')).toHaveLength(5);
    expect(chart.svg.text.match(/class="fill s0"/g)).toHaveLength(1);
    expect(wellFormed(chart.svg.text)).toBeUndefined();
  });

  test('have a title and a description for who does not see them', () => {
    const { svg } = rowChart({ ...caption, rows: [] });
    expect(svg.text).toContain('role="img" aria-labelledby="x-title x-desc"');
    expect(svg.text).toContain(
      '<title id="x-title">A &lt;title&gt;</title><desc id="x-desc">a &amp; b &quot;c&quot;</desc>',
    );
  });
});
