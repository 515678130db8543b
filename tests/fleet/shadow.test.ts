import { describe, expect, test } from 'bun:test';
import { Shadow } from '../../src/fleet/shadow.ts';
import { placementOf } from '../../src/ring/algorithms.ts';
import { sitesOf } from '../../src/ring/placement.ts';
import { Choosing } from './choosing.ts';

const NAMES = ['a', 'b', 'c', 'd'];

describe('a second algorithm', () => {
  test('is asked for each request with a key of its own, and never obeyed', () => {
    const choosing = new Choosing({ shadowHash: 'maglev' }, NAMES);
    const [ring, maglev] = [placementOf('ring', sitesOf(NAMES)), placementOf('maglev', sitesOf(NAMES))];
    const expected = { requests: 0, agreements: 0 };
    const owned = new Map(NAMES.map((name) => [name, { live: 0, shadow: 0, due: 125 }]));
    for (let i = 0; i < 500; i++) {
      const [live, shadow] = [ring.owner(`${i}`) as string, maglev.owner(`${i}`) as string];
      expect(choosing.ask(`${i}`, 1)).toEqual([live]);
      expected.requests++;
      if (live === shadow) expected.agreements++;
      (owned.get(live) as { live: number }).live++;
      (owned.get(shadow) as { shadow: number }).shadow++;
      choosing.ask(`drawn-${i}`, 1, false);
    }
    const { replicas, ...counts } = choosing.chooser.shadow() ?? { replicas: [] };
    expect(counts).toMatchObject({ hash: 'maglev', ...expected });
    expect(new Map(replicas)).toEqual(owned);
    // Both happen, or the test says nothing.
    expect(expected.agreements % 500).toBeGreaterThan(0);
  });

  test('is none where none is set', () => {
    expect(new Choosing({}, NAMES).chooser.shadow()).toBeUndefined();
  });

  test('compares by owner, wherever the request goes', () => {
    const choosing = new Choosing({ shadowHash: 'rendezvous', loadFactor: 1.01 }, NAMES);
    for (let i = 0; i < 100; i++) choosing.send('x');
    const owner = choosing.chooser.placement.owner('x') as string;
    const live = (choosing.chooser.shadow()?.replicas ?? []).filter(([, counts]) => counts.live > 0);
    expect(live.map(([name, counts]) => [name, counts.live])).toEqual([[owner, 100]]);
  });

  test('of other processes is added once to what is counted here', () => {
    const [main, worker] = [
      new Choosing({ shadowHash: 'maglev' }, NAMES),
      new Choosing({ shadowHash: 'maglev' }, NAMES),
    ];
    main.ask('x', 3);
    for (let round = 0; round < 3; round++) {
      worker.ask('x', 2);
      worker.ask('y', 1);
      main.chooser.heard('worker-1', worker.chooser.report());
      main.chooser.heard('worker-1', worker.chooser.report());
    }
    expect(main.chooser.shadow()?.requests).toBe(12);
  });

  test('that has no map of so many keeps nothing from changing, and counts again when there is one', () => {
    const shadow = new Shadow('course');
    const many = sitesOf(Array.from({ length: 57 }, (_, i) => `server-${i}`));
    shadow.show(many);
    expect(shadow.placement).toBeUndefined();
    shadow.compare('1', 'server-1');
    expect(shadow.counts().requests).toBe(0);
    shadow.show(many.slice(1));
    shadow.compare('1', 'server-1');
    expect(shadow.counts().requests).toBe(1);
  });

  // What went wrong: counts since the start were measured by the weights of now, and every change made both maps look bad.
  test('has due to each what its weight was when the requests came, whatever weights come later', () => {
    const shadow = new Shadow('rendezvous');
    shadow.show(sitesOf(['a', 'b']));
    for (let i = 0; i < 10; i++) shadow.compare(`${i}`, 'a');
    shadow.show([
      { name: 'a', weight: 1 },
      { name: 'big', weight: 9 },
    ]);
    const due = (): [string, number][] =>
      shadow.counts().replicas.map(([name, counts]) => [name, counts.due]);
    expect(new Map(due())).toEqual(
      new Map([
        ['a', 5],
        ['b', 5],
      ]),
    );
    for (let i = 0; i < 10; i++) shadow.compare(`${i}`, 'big');
    expect(new Map(due())).toEqual(
      new Map([
        ['a', 6],
        ['b', 5],
        ['big', 9],
      ]),
    );
  });

  test('remembers what those had that are off the map, up to a limit', () => {
    const shadow = new Shadow('rendezvous');
    for (let i = 0; i < 1000; i++) {
      shadow.show(sitesOf([`server-${i}`]));
      shadow.compare('x', `server-${i}`);
    }
    expect(shadow.counts().requests).toBe(1000);
    expect(shadow.counts().replicas.length).toBeLessThanOrEqual(258);
    expect(shadow.counts().replicas.at(-1)?.[0]).toBe('server-999');
  });
});
