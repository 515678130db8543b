import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../spawned.ts';
import { HEALED_MS, SPARE } from './promises.ts';
import { asBefore, NAMES, print, Stage, underLoad } from './scene.ts';
import { SecondEngine } from './second-engine.ts';
import { departures, joinedRing } from './witness.ts';

setDefaultTimeout(180_000);

let engine: SecondEngine;
const stage = new Stage('restart', () => engine);
beforeAll(async () => {
  engine = await SecondEngine.open();
});
afterAll(async () => {
  await engine.close();
});

describe('under steady load on both ports, the engine', () => {
  test.each([
    ['is stopped', 'SIGTERM'],
    ['is killed', 'SIGKILL'],
  ] as const)(
    '%s and started again: all replicas come back under their names, with the same map',
    async (what, signal) => {
      // With it all of them go: there is nobody to ask, and that is said.
      const scene = await underLoad(stage, {}, { mayGet: new Set([502, 503, 504]) });
      const { load, ringmaster } = scene;
      load.begin('during');
      const stoppedMs = Date.now();
      await engine.stop(signal);
      const refused = await fetch(`${ringmaster.url}/add`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"n":1}',
      });
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      await engine.start();
      const startedMs = Date.now();
      await eventually(() => departures(ringmaster, stoppedMs).length >= NAMES.length);
      const backMs = await Promise.all(NAMES.map((name) => joinedRing(ringmaster, name, stoppedMs)));
      await asBefore(scene);
      const healedMs = Math.max(...backMs) - startedMs;
      print(
        `the engine ${what} and started again: away for ${startedMs - stoppedMs} ms, all healed ${healedMs} ms after it answered; ${load.figures([])}`,
      );
      expect(healedMs).toBeLessThan(HEALED_MS * SPARE);
    },
  );
});
