// @ts-check
import { describe, expect, test } from 'bun:test';
import {
  COLOURS,
  Colours,
  ON_DARK,
  ON_LIGHT,
  contrast,
  difference,
  hex,
  inkOn,
  mixed,
} from '../../../src/dashboard/page/colours.js';

/** Side by side two colours that differ by 0.02 can just be told apart. */
const TOLD_APART = 0.035;

const names = Array.from({ length: COLOURS }, (_, i) => `server-${i + 1}`);

describe('the palette', () => {
  test.each([
    ['light', ON_LIGHT],
    ['dark', ON_DARK],
  ])('has 64 colours on %s paper that can be told apart', (_, palette) => {
    expect(palette).toHaveLength(COLOURS);
    const closest = palette.flatMap((one, i) => palette.slice(i + 1).map((other) => difference(one, other)));
    expect(Math.min(...closest)).toBeGreaterThan(TOLD_APART);
  });

  test.each([
    ['light', ON_LIGHT, '#f7f6f2'],
    ['dark', ON_DARK, '#101113'],
  ])('can be seen on %s paper', (_, palette, paper) => {
    for (const colour of palette) expect(contrast(hex(colour), paper)).toBeGreaterThan(2);
  });

  test('a label on each colour can be read', () => {
    for (const colour of [...ON_LIGHT, ...ON_DARK].map(hex))
      expect(contrast(colour, inkOn(colour))).toBeGreaterThanOrEqual(4.5);
  });

  test('black and white have the greatest contrast, and what is mixed is in between', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
    expect(mixed('#000000', '#ffffff', 0.5)).toBe('#808080');
  });
});

describe('who has which colour', () => {
  test('each of 64 has its own, and keeps it when others come and go', () => {
    const colours = new Colours();
    colours.seat(names);
    const before = names.map((name) => colours.of(name).light);
    expect(new Set(before).size).toBe(COLOURS);
    colours.seat(names.slice(10));
    expect(names.slice(10).map((name) => colours.of(name).light)).toEqual(before.slice(10));
  });

  test('one that is away has its colour still when it is back', () => {
    const colours = new Colours();
    colours.seat(['a', 'b']);
    const { light } = colours.of('a');
    colours.seat(['b', 'c']);
    expect(colours.of('c').light).not.toBe(light);
    expect(colours.of('a').light).toBe(light);
  });

  test('who may come has the colour that it then keeps, and gives it back where it does not come', () => {
    const colours = new Colours();
    colours.seat(['a']);
    colours.lend(['b']);
    const { light } = colours.of('b');
    colours.lend(['bo']);
    expect(colours.of('bo').light).toBe(light);
    colours.seat(['a', 'bo']);
    colours.lend(['c', 'a']);
    expect(colours.of('bo').light).toBe(light);
    expect(new Set(['a', 'bo', 'c'].map((name) => colours.of(name).light)).size).toBe(3);
  });

  test('a colour is taken from who is gone only where there are no others', () => {
    const colours = new Colours();
    colours.seat(names);
    colours.seat([...names.slice(1), 'late']);
    const all = [...names.slice(1), 'late'].map((name) => colours.of(name).light);
    expect(new Set(all).size).toBe(COLOURS);
  });
});
