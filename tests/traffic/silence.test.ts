import { describe, expect, jest, test } from 'bun:test';
import { Patience } from '../../src/traffic/patience.ts';
import { Flight, Place } from '../../src/traffic/place.ts';
import { Deadlines } from '../../src/traffic/relay/deadlines.ts';
import { Pools, type Pool } from '../../src/traffic/relay/pool.ts';
import { Pace, Silence } from '../../src/traffic/silence.ts';
import { CountedLease } from './balancer.ts';

/** What must be seen of replies before a silence means anything, and how long it has to be at least. */
const REPLIES = 100;
const SILENCE_MS = 2000;
const ENOUGH = 5;

const known = (pace: Pace, tookMs: number, nowMs = 0): void => {
  for (let i = 0; i < REPLIES; i++) pace.replied(tookMs, nowMs);
};

describe('the pace of replies', () => {
  test('is not known from a few', () => {
    const pace = new Pace();
    for (let i = 1; i < REPLIES; i++) pace.replied(1, 0);
    expect(pace.silenceMaxMs).toBe(Number.POSITIVE_INFINITY);
    pace.replied(1, 0);
    expect(pace.silenceMaxMs).toBe(SILENCE_MS);
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
  test('begins when enough wait, and again with each reply', () => {
    const silence = new Silence();
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

/** The same of both ports: requests to one instance, which is silent from then on, and time. */
interface Ground {
  readonly lease: CountedLease;
  readonly pace: Pace;
  ask(): { replied(): void; left(): void };
  advance(ms: number): void;
  end(): void;
}

function relayGround(): Ground {
  let nowMs = 0;
  const deadlines = new Deadlines(() => nowMs);
  const limits = { upstreamsMax: 100, connectTimeoutMs: 1000, replicaInFlightMax: 100 };
  const pools = new Pools(() => {}, deadlines, limits);
  const lease = new CountedLease('key', 'r0', { host: '10.0.0.1', port: 1 });
  const pool: Pool = pools.of(lease.address);
  return {
    lease,
    pace: pools.pace,
    ask() {
      const place = new Place(lease, pool);
      place.asked(deadlines.nowMs);
      return {
        replied() {
          place.replied(deadlines.nowMs);
          place.release();
        },
        left: () => place.release(),
      };
    },
    advance(ms) {
      for (const end = nowMs + ms; nowMs < end;) {
        nowMs += 100;
        deadlines.look();
      }
    },
    end: () => deadlines.close(),
  };
}

function forwardGround(): Ground {
  jest.useFakeTimers();
  const pace = new Pace();
  const flight = new Flight(pace);
  const lease = new CountedLease('key', 'r0', { host: '10.0.0.1', port: 1 });
  return {
    lease,
    pace,
    ask() {
      const place = new Place(lease, flight);
      place.asked(performance.now());
      const patience = new Patience(place, 30_000, () => {});
      return {
        replied() {
          patience.end();
          place.replied(performance.now());
          place.release();
        },
        left() {
          patience.end();
          place.release();
        },
      };
    },
    advance(ms) {
      for (let passed = 0; passed < ms; passed += 100) jest.advanceTimersByTime(100);
    },
    end: () => void jest.useRealTimers(),
  };
}

describe.each([
  ['the relay', relayGround],
  ['port 5000', forwardGround],
])('a replica that falls silent, by %s', (_, open) => {
  const grounded = (act: (ground: Ground) => void) => () => {
    const ground = open();
    try {
      act(ground);
    } finally {
      ground.end();
    }
  };

  test(
    'is reported when enough requests wait for longer than any of late, and again',
    grounded(({ lease, pace, ask, advance }) => {
      known(pace, 10);
      const asked = Array.from({ length: ENOUGH }, ask);
      advance(SILENCE_MS - 300);
      expect(lease.silences).toBe(0);
      advance(600);
      expect(lease.silences).toBeGreaterThan(0);
      const before = lease.silences;
      advance(SILENCE_MS + 300);
      expect(lease.silences).toBeGreaterThan(before);
      for (const one of asked) one.left();
    }),
  );

  test(
    'is not where fewer wait, however long',
    grounded(({ lease, pace, ask, advance }) => {
      known(pace, 10);
      const asked = Array.from({ length: ENOUGH - 1 }, ask);
      advance(20_000);
      expect(lease.silences).toBe(0);
      for (const one of asked) one.left();
    }),
  );

  test(
    'is not where one is answered now and then',
    grounded(({ lease, pace, ask, advance }) => {
      known(pace, 10);
      const asked = Array.from({ length: 2 * ENOUGH }, ask);
      for (let i = 0; i < ENOUGH; i++) {
        advance(SILENCE_MS - 300);
        asked.pop()?.replied();
      }
      expect(lease.silences).toBe(0);
      for (const one of asked) one.left();
    }),
  );

  test(
    'is not where replies are known to be slow, or nothing is known of them',
    grounded(({ lease, pace, ask, advance }) => {
      const asked = Array.from({ length: ENOUGH }, ask);
      advance(10_000);
      known(pace, 1500);
      advance(10_000);
      expect(lease.silences).toBe(0);
      for (const one of asked) one.left();
    }),
  );
});

test('a pool without requests and connections is forgotten, and its deadline with it', () => {
  let nowMs = 0;
  const deadlines = new Deadlines(() => nowMs);
  const pools = new Pools(() => {}, deadlines, {
    upstreamsMax: 100,
    connectTimeoutMs: 1000,
    replicaInFlightMax: 100,
  });
  const address = { host: '10.0.0.1', port: 1 };
  const pool = pools.of(address);
  const lease = new CountedLease('key', 'r0', address);
  known(pools.pace, 10);
  pools.forgetIfEmpty(pool);
  expect(pools.of(address)).not.toBe(pool);
  for (let i = 0; i < ENOUGH; i++) pool.asked(lease, nowMs);
  for (; nowMs < 10_000; nowMs += 100) deadlines.look();
  expect(lease.silences).toBe(0);
  deadlines.close();
});
