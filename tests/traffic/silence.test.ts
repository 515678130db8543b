import { describe, expect, test } from 'bun:test';
import { Place } from '../../src/traffic/place.ts';
import { Deadlines } from '../../src/traffic/relay/deadlines.ts';
import { Pools } from '../../src/traffic/relay/pool.ts';
import { Pace, Silence } from '../../src/traffic/silence.ts';
import { CountedLease } from './balancer.ts';

/** How long a silence has to be at least. */
const SILENCE_MS = 2000;
const ENOUGH = 5;

const known = (pace: Pace, tookMs: number): void => pace.replied(tookMs, 0);

describe('the pace of replies', () => {
  test('allows the least where nothing is known', () => {
    expect(new Pace().silenceMaxMs).toBe(SILENCE_MS);
  });

  test.each([
    [0, SILENCE_MS],
    [100, SILENCE_MS],
    [200, SILENCE_MS],
    [201, 2010],
    [5000, 50_000],
  ])('whose slowest took %d ms allows a silence of %d ms', (slowestMs, silenceMs) => {
    const pace = new Pace();
    known(pace, 1);
    pace.replied(slowestMs, 10);
    pace.replied(1, 20);
    expect(pace.silenceMaxMs).toBe(silenceMs);
  });

  test('forgets the slowest after a while, and not while nothing is replied', () => {
    const pace = new Pace();
    known(pace, 5000);
    pace.replied(1, 29_000);
    expect(pace.silenceMaxMs).toBe(50_000);
    pace.replied(1, 3_600_000);
    expect(pace.silenceMaxMs).toBe(50_000);
    pace.replied(1, 3_600_000 + 30_000);
    expect(pace.silenceMaxMs).toBe(SILENCE_MS);
  });
});

describe('a silence', () => {
  test('takes as many as there may be, where that is fewer', () => {
    const silence = new Silence(2);
    silence.asked(1);
    expect(silence.sinceMs).toBe(Number.POSITIVE_INFINITY);
    silence.asked(2);
    expect(silence.sinceMs).toBe(2);
  });

  test('begins when enough wait, and again with each reply', () => {
    const silence = new Silence(100);
    for (let i = 1; i < ENOUGH; i++) silence.asked(i);
    expect(silence.sinceMs).toBe(Number.POSITIVE_INFINITY);
    silence.asked(10);
    silence.asked(20);
    expect(silence.sinceMs).toBe(10);
    silence.replied(30);
    expect(silence.sinceMs).toBe(30);
    silence.left();
    expect(silence.sinceMs).toBe(Number.POSITIVE_INFINITY);
    silence.asked(40);
    expect(silence.sinceMs).toBe(40);
    silence.replied(50);
    expect(silence.sinceMs).toBe(Number.POSITIVE_INFINITY);
  });
});

/** Requests to one instance, and time. */
class Ground implements Disposable {
  #nowMs = 0;
  silences = 0;
  readonly #deadlines = new Deadlines(() => this.#nowMs);
  readonly pools = new Pools(
    () => {},
    this.#deadlines,
    { upstreamsMax: 100, connectTimeoutMs: 1000, replicaInFlightMax: 100 },
    () => this.silences++,
  );
  readonly #lease = new CountedLease('key', 'r0', { host: '10.0.0.1', port: 1 });
  readonly pool = this.pools.of(this.#lease.address);

  get pace(): Pace {
    return this.pools.pace;
  }

  ask(): { replied(): void; left(): void } {
    const place = new Place(this.#lease, this.pool);
    place.asked(this.#nowMs);
    return {
      replied: () => {
        place.replied(this.#nowMs);
        place.release();
      },
      left: () => place.release(),
    };
  }

  asked(times: number): { replied(): void; left(): void }[] {
    return Array.from({ length: times }, () => this.ask());
  }

  advance(ms: number): void {
    for (const end = this.#nowMs + ms; this.#nowMs < end;) {
      this.#nowMs += 100;
      this.#deadlines.look();
    }
  }

  [Symbol.dispose](): void {
    this.#deadlines.close();
  }
}

describe('a replica that falls silent', () => {
  test('is doubted when enough requests wait for longer than any of late, and again', () => {
    using ground = new Ground();
    known(ground.pace, 10);
    ground.asked(ENOUGH);
    ground.advance(SILENCE_MS - 100);
    expect(ground.silences).toBe(0);
    ground.advance(300);
    expect(ground.silences).toBe(1);
    ground.advance(SILENCE_MS + 300);
    expect(ground.silences).toBe(2);
  });

  test('is not where fewer wait, however long', () => {
    using ground = new Ground();
    known(ground.pace, 10);
    ground.asked(ENOUGH - 1);
    ground.advance(20_000);
    expect(ground.silences).toBe(0);
  });

  test('is not where one is answered now and then', () => {
    using ground = new Ground();
    known(ground.pace, 10);
    const asked = ground.asked(2 * ENOUGH);
    for (let i = 0; i < ENOUGH; i++) {
      ground.advance(SILENCE_MS - 300);
      asked.pop()?.replied();
    }
    expect(ground.silences).toBe(0);
  });

  test('is not where too few are left', () => {
    using ground = new Ground();
    known(ground.pace, 10);
    const asked = ground.asked(ENOUGH);
    ground.advance(SILENCE_MS - 300);
    asked.pop()?.left();
    ground.advance(20_000);
    expect(ground.silences).toBe(0);
  });

  test('is not where replies are known to be slow', () => {
    using ground = new Ground();
    known(ground.pace, 1500);
    ground.asked(ENOUGH);
    ground.advance(10_000);
    expect(ground.silences).toBe(0);
  });

  test('is forgotten when it has neither requests nor connections', () => {
    using ground = new Ground();
    known(ground.pace, 10);
    const { pool, pools } = ground;
    for (const one of ground.asked(ENOUGH)) one.left();
    expect(pools.of(pool.address)).not.toBe(pool);
    for (let i = 0; i < ENOUGH; i++) pool.asked(0);
    ground.advance(20_000);
    expect(ground.silences).toBe(0);
  });
});
