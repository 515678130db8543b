import { describe, expect, test } from 'bun:test';
import { createRegistry } from '../../src/metrics/registry.ts';
import { sourceAround } from '../../src/metrics/source.ts';
import { latencyBoundMs, latencyBucket } from '../../src/traffic/latency.ts';
import { DEPARTED_MAX } from '../../src/traffic/tally.ts';
import { Built, busy, replica } from './built.ts';
import { readExposition, type FamilyText, type Line } from './exposition.ts';

/** 63 statuses that Node knows, 499, and ten classes. */
const CODES_MAX = 74;

async function scrape(source: Built): Promise<Map<string, FamilyText>> {
  return readExposition(await createRegistry(source).metrics());
}

/** Lines of one name, as `{label="value"} value`. */
async function linesOf(source: Built, name: string): Promise<string[]> {
  const families = await scrape(source);
  return (families.get(name)?.lines ?? []).map(textOf);
}

function textOf({ labels, value }: Line): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}=${text}`);
  return [...pairs.sort(), value].join(' ');
}

describe('each metric', () => {
  const cases: readonly (readonly [name: string, lines: readonly string[]])[] = [
    [
      'ringmaster_requests_total',
      [
        'code=200 plane=traffic replica=a 1',
        'code=502 plane=traffic replica=a 1',
        'code=200 plane=traffic replica=b 1',
        'code=404 plane=control replica=a 1',
        'code=503 plane=control replica= 1',
      ],
    ],
    [
      'ringmaster_retries_total',
      [
        'plane=traffic replica=a 0',
        'plane=traffic replica=b 1',
        'plane=control replica=a 0',
        'plane=control replica= 0',
      ],
    ],
    [
      'ringmaster_failovers_total',
      [
        'plane=traffic replica=a 0',
        'plane=traffic replica=b 1',
        'plane=control replica=a 0',
        'plane=control replica= 0',
      ],
    ],
    [
      'ringmaster_replies_broken_total',
      [
        'plane=traffic replica=a 0',
        'plane=traffic replica=b 1',
        'plane=control replica=a 0',
        'plane=control replica= 0',
      ],
    ],
    [
      'ringmaster_client_connections',
      ['state=active 4', 'state=idle 3', 'state=tunnel 2', 'state=closing 1'],
    ],
    ['ringmaster_client_connections_max', ['20000']],
    ['ringmaster_replica_requests_in_flight', ['replica=a 0', 'replica=b 0', 'replica=c 7']],
    ['ringmaster_replica_restarts_total', ['replica=a 0', 'replica=b 0', 'replica=c 3']],
    ['ringmaster_replica_heartbeats_missed', ['replica=a 0', 'replica=b 0', 'replica=c 2']],
    [
      'ringmaster_membership_changes_total',
      [
        'kind=joined 1',
        'kind=ejected 0',
        'kind=died 0',
        'kind=restarting 0',
        'kind=healed 0',
        'kind=back 0',
        'kind=draining 0',
        'kind=left 0',
        'kind=stayed 0',
        'kind=weighed 0',
      ],
    ],
    ['ringmaster_ring_revision', ['0']],
    ['ringmaster_ring_points', ['2048']],
    ['ringmaster_ring_replicas', ['2']],
    ['ringmaster_ring_replicas_ready', ['2']],
    ['ringmaster_peers', ['0']],
    ['ringmaster_peers_answering', ['0']],
    ['ringmaster_peers_disagreeing', ['0']],
    ['ringmaster_ring_disagreement_seconds', ['0']],
    ['ringmaster_engine_up', ['1']],
    ['ringmaster_engine_absences_total', ['1']],
    [
      'ringmaster_engine_calls_total',
      ['verb=list 5', 'verb=start 0', 'verb=mark 0', 'verb=weigh 0', 'verb=stop 0', 'verb=kill 0'],
    ],
    [
      'ringmaster_engine_call_errors_total',
      ['verb=list 1', 'verb=start 0', 'verb=mark 0', 'verb=weigh 0', 'verb=stop 0', 'verb=kill 0'],
    ],
    ['ringmaster_build_info', ['runtime=process version=1.2.3 1']],
    ['process_start_time_seconds', ['1700000000.5']],
  ];

  test.each(cases)('%s', async (name, lines) => {
    expect(await linesOf(busy(), name)).toEqual([...lines]);
  });

  test('the state of a replica is 1 in one state and 0 in all others', async () => {
    const lines = await linesOf(busy(), 'ringmaster_replica_state');
    expect(lines).toHaveLength(3 * 5);
    expect(lines.filter((line) => line.endsWith(' 1'))).toEqual([
      'replica=a state=ready 1',
      'replica=b state=ready 1',
      'replica=c state=waiting 1',
    ]);
  });

  test('shares of the ring are those of the ring, and 1 in sum', async () => {
    const built = busy();
    const shares = (await scrape(built)).get('ringmaster_ring_share_ratio')?.lines ?? [];
    const expected = built.fleet.standing().map.share();
    expect(shares.map(({ labels, value }) => [labels['replica'], value])).toEqual([...expected]);
    expect(shares.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(1, 12);
  });

  test('the map is told by its digest', async () => {
    const built = busy();
    const { digest } = built.fleet.standing();
    expect(await linesOf(built, 'ringmaster_ring_info')).toEqual([`algorithm=ring digest=${digest} 1`]);
  });

  test('other Ringmasters that are silent do not disagree', async () => {
    const built = busy();
    const { digest } = built.fleet.standing();
    built.fleet.told = {
      revision: 7,
      disagreementMs: 4500,
      peers: [
        { url: 'http://same', heard: { digest, revision: 7 } },
        { url: 'http://other', heard: { digest: 'another', revision: 6 } },
        { url: 'http://silent', heard: undefined },
      ],
    };
    const families = await scrape(built);
    const valueOf = (name: string): number | undefined => families.get(name)?.lines[0]?.value;
    expect([
      valueOf('ringmaster_peers'),
      valueOf('ringmaster_peers_answering'),
      valueOf('ringmaster_peers_disagreeing'),
      valueOf('ringmaster_ring_disagreement_seconds'),
      valueOf('ringmaster_ring_revision'),
    ]).toEqual([3, 2, 1, 4.5, 7]);
  });

  test('an engine that is away is down', async () => {
    const built = busy();
    built.fleet.engineAnswers = false;
    expect(await linesOf(built, 'ringmaster_engine_up')).toEqual(['0']);
  });

  test('where there is no port for traffic nothing is said of its maximum', async () => {
    const built = busy();
    built.connectionsMax = undefined;
    expect(await linesOf(built, 'ringmaster_client_connections_max')).toEqual([]);
  });

  test('what is told of the process is what the platform says', async () => {
    const families = await scrape(busy());
    const valueOf = (name: string): number => families.get(name)?.lines[0]?.value as number;
    expect(valueOf('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(valueOf('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
    if (process.platform !== 'linux') return;
    expect(valueOf('process_open_fds')).toBeGreaterThan(2);
    expect(valueOf('process_max_fds')).toBeGreaterThan(valueOf('process_open_fds'));
  });

  test('an app that knows no more than its fleet tells of the ring', async () => {
    const { fleet } = new Built('a', 'b', 'c');
    const families = readExposition(await createRegistry(sourceAround(fleet)).metrics());
    expect(families.get('ringmaster_ring_replicas')?.lines[0]?.value).toBe(3);
    expect(families.get('ringmaster_requests_total')?.lines).toEqual([]);
  });
});

describe('names and texts', () => {
  test('follow the conventions of Prometheus', async () => {
    for (const [name, { type, help, lines }] of await scrape(busy())) {
      expect(name).toMatch(/^(?:ringmaster|process)_[a-z_]+[a-z]$/);
      if (type === 'counter') expect(name).toEndWith('_total');
      else expect(name).not.toMatch(/_(?:total|count|sum|bucket)$/);
      expect(name).not.toMatch(/_(?:ms|millis|milliseconds|percent|kb|mb)(?:_|$)/);
      if (type === 'histogram') expect(name).toEndWith('_seconds');
      expect(help).toMatch(/^[A-Z].{10,}\.$/);
      for (const { labels } of lines)
        for (const label of Object.keys(labels)) expect(label).toMatch(/^[a-z]+$/);
    }
  });

  test('a series comes once, whatever the fleet says', async () => {
    const built = busy();
    built.fleet.views.push(replica('a', { state: 'starting' }));
    for (const { lines } of (await scrape(built)).values()) {
      const series = lines.map(({ name, labels }) => JSON.stringify([name, labels]));
      expect(series.length).toBe(new Set(series).size);
    }
    expect(await linesOf(built, 'ringmaster_replica_state')).toContain('replica=a state=ready 1');
  });

  test.each([
    'a"b',
    'a\\b',
    'a\nb',
    'a{b="c"} 1',
    '} 1\nringmaster_engine_up 0\n#',
    'é☃',
    '\\n',
    '',
    '\r',
    '\\',
  ])('a replica by the name of %j is told by that name, and of nothing else', async (name) => {
    const built = new Built(name);
    built.tallies.traffic.of(name).answered(200, 1);
    const families = await scrape(built);
    const plain = await scrape(new Built('plain'));
    expect([...families.keys()]).toEqual([...plain.keys()]);
    for (const of of ['ringmaster_requests_total', 'ringmaster_replica_state', 'ringmaster_ring_share_ratio'])
      expect(new Set(families.get(of)?.lines.map(({ labels }) => labels['replica']))).toEqual(
        new Set([name]),
      );
    expect(families.get('ringmaster_engine_up')?.lines[0]?.value).toBe(1);
  });

  test('the type of the content is that of text format 0.0.4', () => {
    expect(createRegistry(new Built()).contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});

describe('statuses', () => {
  test.each([
    [200, '200'],
    [101, '101'],
    [418, '418'],
    [451, '451'],
    [499, '499'],
    [299, '2xx'],
    [599, '5xx'],
    [498, '4xx'],
    [0, '0xx'],
    [99, '0xx'],
    [999, '9xx'],
  ])('%d is told as %s', async (code, label) => {
    const built = new Built('a');
    built.tallies.traffic.of('a').answered(code, 1);
    expect(await linesOf(built, 'ringmaster_requests_total')).toEqual([
      `code=${label} plane=traffic replica=a 1`,
    ]);
  });

  test('a replica that sends all there are makes a bounded number of series, and none of them is lost', async () => {
    const built = new Built('a');
    for (let code = 0; code < 1000; code++) built.tallies.traffic.of('a').answered(code, 1);
    const lines = (await scrape(built)).get('ringmaster_requests_total')?.lines ?? [];
    expect(lines.length).toBe(CODES_MAX);
    expect(lines.reduce((sum, { value }) => sum + value, 0)).toBe(1000);
  });
});

describe('histograms', () => {
  const NAME = 'ringmaster_request_duration_seconds';
  const BOUNDS_S = Array.from({ length: 18 }, (_, i) => 2 ** (i - 1) / 1000);

  test('of requests have bounds that are also counted by, so that none is told in the wrong one', async () => {
    const built = new Built('a');
    built.tallies.traffic.of('a').answered(200, 1);
    const bounds = (await scrape(built)).get(NAME)?.lines.flatMap(({ labels }) => labels['le'] ?? []);
    expect(bounds).toEqual([...BOUNDS_S.map(String), '+Inf']);
    for (const bound of BOUNDS_S) expect(latencyBoundMs(latencyBucket(bound * 1000))).toBe(bound * 1000);
  });

  test('put each latency where it belongs, bounds included', async () => {
    for (const ms of [0, 0.01, 0.5, 0.51, 1, 1.01, 3, 4, 900, 65_536, 65_537, 1e7]) {
      const built = new Built('a');
      built.tallies.traffic.of('a').answered(200, ms);
      for (const { name, labels, value } of (await scrape(built)).get(NAME)?.lines ?? []) {
        if (name !== `${NAME}_bucket`) continue;
        const le = Number((labels['le'] as string).replace('+Inf', 'Infinity'));
        expect(`${ms} ms up to ${le}: ${value}`).toBe(`${ms} ms up to ${le}: ${ms / 1000 <= le ? 1 : 0}`);
      }
    }
  });

  test.each([NAME, 'ringmaster_engine_call_duration_seconds', 'ringmaster_event_loop_delay_seconds'])(
    'of %s grow from bound to bound, and end in their count',
    async (name) => {
      const { lines = [], type } = (await scrape(busy())).get(name) ?? {};
      expect(type).toBe('histogram');
      let [before, beforeLe] = [0, -1];
      let seen = 0;
      for (const line of lines) {
        if (line.name === `${name}_bucket`) {
          const le = Number(line.labels['le']?.replace('+Inf', 'Infinity'));
          expect(le).toBeGreaterThan(beforeLe);
          expect(line.value).toBeGreaterThanOrEqual(before);
          [before, beforeLe] = [line.value, le];
        } else if (line.name === `${name}_count`) {
          expect([beforeLe, line.value]).toEqual([Number.POSITIVE_INFINITY, before]);
          [before, beforeLe] = [0, -1];
          seen += line.value;
        } else expect(line.name).toBe(`${name}_sum`);
      }
      expect(seen).toBeGreaterThan(0);
    },
  );

  test('tell sums in seconds', async () => {
    const families = await scrape(busy());
    const sumOf = (name: string, labels: object): number | undefined =>
      families
        .get(name)
        ?.lines.find((line) => line.name === `${name}_sum` && Bun.deepEquals(line.labels, labels))?.value;
    expect(sumOf(NAME, { plane: 'traffic', replica: 'a' })).toBeCloseTo(0.703, 9);
    expect(sumOf('ringmaster_engine_call_duration_seconds', { verb: 'list' })).toBe(0.04);
    expect(sumOf('ringmaster_event_loop_delay_seconds', { process: 'main' })).toBeCloseTo(1.5005, 9);
  });
});

describe('from scrape to scrape', () => {
  test('no counter goes down, whatever is counted', async () => {
    const built = busy();
    const registry = createRegistry(built);
    let before = new Map<string, number>();
    for (let round = 0; round < 30; round++) {
      const after = new Map<string, number>();
      for (const { type, lines } of readExposition(await registry.metrics()).values())
        for (const { name, labels, value } of type === 'gauge' ? [] : lines)
          after.set(JSON.stringify([name, labels]), value);
      for (const [series, value] of before) expect(after.get(series) ?? -1).toBeGreaterThanOrEqual(value);
      before = after;
      const tally = built.tallies[round % 2 === 0 ? 'traffic' : 'control'].of('abc'[round % 3] as string);
      tally.answered(200 + round * 11, round ** 3);
      if (round % 4 === 0) tally.retried();
      if (round % 5 === 0) tally.brokeOff(200);
      built.fleet.journal.record('a', 'ejected', '');
      built.main.late(round * 40);
      await built.engine.count('stop', () => Promise.resolve());
    }
  });

  test('replicas that went away are forgotten after those that went last', async () => {
    const built = new Built('a');
    for (let i = 0; i < 300; i++) built.tallies.traffic.of(`gone-${i}`).answered(200, 1);
    built.tallies.traffic.of('a').answered(200, 1);
    built.tallies.traffic.keep(new Set(['a']));
    const told = (await scrape(built))
      .get('ringmaster_requests_total')
      ?.lines.map(({ labels }) => labels['replica']);
    expect(told).toHaveLength(DEPARTED_MAX + 1);
    expect(told).toContain('a');
    expect(told).toContain('gone-299');
    expect(told).not.toContain('gone-0');
  });

  test('two at once each have all of it', async () => {
    const registry = createRegistry(busy());
    const [one, other] = await Promise.all([registry.metrics(), registry.metrics()]);
    expect([...readExposition(one).keys()]).toEqual([...readExposition(other).keys()]);
  });

  test('the ring is measured once as long as it stays', async () => {
    const built = new Built('a', 'b');
    const { map } = built.fleet.standing();
    let measured = 0;
    const watched = Object.assign(Object.create(Object.getPrototypeOf(map) as object) as typeof map, {
      names: map.names,
      points: map.points,
      share: () => (measured++, map.share()),
    });
    built.fleet.told = { map: watched };
    const registry = createRegistry(built);
    await registry.metrics();
    await registry.metrics();
    expect(measured).toBe(1);
  });
});
