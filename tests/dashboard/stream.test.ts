import { afterEach, describe, expect, test } from 'bun:test';
import { Recorder } from '../../src/dashboard/recorder.ts';
import type { Snapshot, Update } from '../../src/dashboard/snapshot.ts';
import { LISTENERS_MAX, Stream } from '../../src/dashboard/stream.ts';
import { Journal } from '../../src/fleet/journal.ts';
import { Tally } from '../../src/traffic/tally.ts';

interface Told extends Update {
  readonly id: string;
}

/** A page: reads the messages of a stream, one by one. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #text = '';

  constructor(reply: Response) {
    this.#reader = (reply.body as ReadableStream<Uint8Array>).getReader();
  }

  /** The next message; undefined where the stream has ended. */
  async next(): Promise<Told | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const told = /^id: (.*)\ndata: (.*)$/.exec(block);
        if (told !== null) return { ...(JSON.parse(told[2] as string) as Update), id: told[1] as string };
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += new TextDecoder().decode(value);
    }
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }
}

class Rig {
  nowMs = 0;
  snapshots = 0;
  readonly journal = new Journal(() => this.nowMs);
  readonly recorder = new Recorder({ traffic: new Tally(), control: new Tally() });
  readonly stream = new Stream({
    snapshot: () => ({ at: ++this.snapshots }) as unknown as Snapshot,
    journal: this.journal,
    recorder: this.recorder,
    toUnix: (ms) => ms + 1000,
  });

  open(lastEventId: string | null = null): Reader {
    const reply = this.stream.open(lastEventId);
    if (reply === undefined) throw new Error('the stream takes no more');
    return new Reader(reply);
  }

  sample(): void {
    this.nowMs += 1000;
    this.recorder.sample(this.nowMs, this.nowMs, [{ name: 'a', inFlight: 0 }]);
  }
}

const rigs: Rig[] = [];
const rig = (): Rig => {
  const made = new Rig();
  rigs.push(made);
  return made;
};
afterEach(() => {
  for (const { stream } of rigs.splice(0)) stream.close();
});

describe('a page', () => {
  test('is told all at first, then what is new', async () => {
    const one = rig();
    one.journal.record('a', 'joined', 'joined');
    one.sample();
    const page = one.open();
    const first = await page.next();
    expect(first).toMatchObject({ reset: true, events_missed: 0, snapshot: { at: 1 } });
    expect(first?.events).toEqual([{ seq: 1, at: 1000, replica: 'a', what: 'joined', why: 'joined' }]);
    expect(first?.samples?.at).toEqual([1000]);
    one.journal.record('a', 'ejected', 'paused');
    const second = await page.next();
    expect(second).toMatchObject({ reset: false, samples: null, events: [{ seq: 2, what: 'ejected' }] });
  });

  test('hears also when nothing has changed', async () => {
    const page = rig().open();
    expect((await page.next())?.snapshot.at).toBe(1);
    expect((await page.next())?.snapshot.at).toBe(2);
    expect((await page.next())?.events).toEqual([]);
  });

  test('that comes back is told what it has missed, and no more', async () => {
    const one = rig();
    one.journal.record('a', 'joined', '');
    one.sample();
    const before = one.open();
    const told = await before.next();
    await before.leave();
    one.journal.record('a', 'died', '');
    one.sample();
    const again = await one.open(told?.id).next();
    expect(again).toMatchObject({ reset: false, events: [{ seq: 2 }] });
    expect(again?.samples?.at).toEqual([2000]);
  });

  test.each([
    ['of another Ringmaster', 'deadbeef.1.1'],
    ['of the future', 'ID.999.999'],
    ['that is nonsense', '💥\u0000'],
    ['that is empty', ''],
  ])('with an id %s begins anew', async (_, id) => {
    const one = rig();
    const told = await one.open().next();
    const own = told?.id.split('.')[0] ?? '';
    expect((await one.open(id.replace('ID', own)).next())?.reset).toBe(true);
  });

  test('is told how much of what it missed is forgotten', async () => {
    const one = rig();
    const told = await one.open().next();
    for (let i = 0; i < 700; i++) one.journal.record('a', 'ejected', '');
    const again = await one.open(told?.id).next();
    expect(again).toMatchObject({ reset: false, events_missed: 200 });
    expect(again?.events).toHaveLength(500);
  });

  test('that does not read costs one message, and what it gets then is of now', async () => {
    const one = rig();
    const [slow, quick] = [one.open(), one.open()];
    for (let i = 0; i < 5; i++) {
      one.journal.record(`r${i}`, 'ejected', '');
      await quick.next();
    }
    const made = one.snapshots;
    const first = await slow.next();
    expect(first?.reset).toBe(true);
    const second = await slow.next();
    expect(second?.snapshot.at).toBeGreaterThanOrEqual(made);
    // Every event once, in order, though it was told seldom.
    const events = [...(first?.events ?? []), ...(second?.events ?? [])].map(({ replica }) => replica);
    expect(events).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
  });

  test('shares each snapshot with all others', async () => {
    const one = rig();
    const pages = Array.from({ length: 20 }, () => one.open());
    await Promise.all(pages.map((page) => page.next()));
    one.journal.record('a', 'ejected', '');
    await Promise.all(pages.map((page) => page.next()));
    expect(one.snapshots).toBeLessThan(10);
  });
});

test('there is an end to how many pages are told', async () => {
  const one = rig();
  const pages = Array.from({ length: LISTENERS_MAX }, () => one.open());
  expect(one.stream.open(null)).toBeUndefined();
  await pages[0]?.leave();
  expect(one.stream.listeners).toBe(LISTENERS_MAX - 1);
  expect(one.stream.open(null)).toBeDefined();
});

test('with nobody there no snapshot is made', async () => {
  const one = rig();
  const page = one.open();
  await page.next();
  await page.leave();
  const { snapshots } = one;
  one.journal.record('a', 'ejected', '');
  one.stream.wake();
  const next = one.open();
  await next.next();
  expect(one.snapshots).toBe(snapshots + 1);
});

test('at its end all streams end', async () => {
  const one = rig();
  const page = one.open();
  await page.next();
  one.journal.record('a', 'left', '');
  one.stream.close();
  const told = [];
  for (let next = await page.next(); next !== undefined; next = await page.next()) told.push(...next.events);
  expect(told).toMatchObject([{ what: 'left' }]);
  expect(one.stream.listeners).toBe(0);
  expect(one.stream.open(null)).toBeUndefined();
});
