import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { ALERTS, chosenAll, metricNames, readDashboard, readRules } from './expressions.ts';
import { Prometheus } from './prometheus.ts';

const PATIENCE_MS = 60_000;

interface Target {
  readonly health: string;
  readonly lastError: string;
}
interface RuleGroup {
  readonly rules: readonly { readonly name: string; readonly health: string; readonly state?: string }[];
}

/** Panels of what may not have happened, or not be there. */
const EMPTY_AT_FIRST: ReadonlySet<string> = new Set(['Errors by replica']);

describe('a real Prometheus that scrapes a real Ringmaster', () => {
  let ringmaster: Spawned;
  let prometheus: Prometheus;
  beforeAll(async () => {
    ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '2', SHADOW_HASH: 'maglev' });
    prometheus = await Prometheus.start(new URL(ringmaster.url).host, ALERTS);
  }, PATIENCE_MS);
  afterAll(async () => {
    await prometheus?.end();
    await ringmaster?.end('SIGTERM');
  }, PATIENCE_MS);

  const valueOf = async (expr: string): Promise<number> =>
    Number((await prometheus.query(expr))[0]?.value[1]);

  test(
    'finds it up',
    async () => {
      await eventually(async () => (await valueOf('up{job="ringmaster"}')) === 1);
      const { activeTargets } = await prometheus.ask<{ activeTargets: readonly Target[] }>('targets');
      expect(activeTargets.map(({ health, lastError }) => [health, lastError])).toEqual([['up', '']]);
      expect(await valueOf('ringmaster_ring_replicas_ready')).toBe(2);
      expect(await valueOf('ringmaster_build_info{runtime="process"}')).toBe(1);
      expect(await valueOf('ringmaster_client_connections_max')).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );

  test(
    'sees the requests of both ports, and where they went',
    async () => {
      const sent = 20;
      for (let id = 0; id < sent; id++)
        for (const base of [ringmaster.traffic, ringmaster.url])
          expect((await fetch(`${base}/home?id=${id}`)).status).toBe(200);
      for (const plane of ['traffic', 'control']) {
        const of = `plane="${plane}",replica=~"server-.+"`;
        await eventually(
          async () => (await valueOf(`sum(ringmaster_requests_total{${of},code="200"})`)) === sent,
        );
        expect(await valueOf(`sum(ringmaster_request_duration_seconds_count{${of}})`)).toBe(sent);
      }
      await eventually(
        async () => (await valueOf('ringmaster_membership_changes_total{kind="joined"}')) === 2,
      );
      expect(await valueOf('sum(ringmaster_ring_share_ratio)')).toBeCloseTo(1, 9);
    },
    PATIENCE_MS,
  );

  const panels = readDashboard().then(({ panels }) => panels.filter(({ type }) => type !== 'row'));

  test(
    'has something to show in each panel',
    async () => {
      for (const { title = '', targets = [] } of await panels) {
        const found = async (): Promise<boolean> => {
          const answers = await Promise.all(targets.map(({ expr }) => prometheus.query(chosenAll(expr))));
          return EMPTY_AT_FIRST.has(title) || answers.some((series) => series.length > 0);
        };
        await eventually(found);
      }
    },
    PATIENCE_MS,
  );

  test('takes each expression of the dashboard and of the rules, and has what they read', async () => {
    const expressions = [
      ...(await panels).flatMap(({ targets = [] }) => targets.map(({ expr }) => chosenAll(expr))),
      ...(await readRules()).map(({ expr }) => expr),
    ];
    const known = new Set(await prometheus.ask<readonly string[]>('label/__name__/values'));
    for (const expr of expressions) {
      await prometheus.query(expr);
      for (const name of metricNames(expr)) if (!name.includes(':')) expect(known).toContain(name);
    }
  });

  test(
    'evaluates each rule, and none of them fires',
    async () => {
      const rules = async () =>
        (await prometheus.ask<{ groups: readonly RuleGroup[] }>('rules')).groups.flatMap(
          (group) => group.rules,
        );
      await eventually(async () => (await rules()).every(({ health }) => health === 'ok'));
      const all = await rules();
      expect(all.map(({ name }) => name).sort()).toEqual(
        (await readRules()).map(({ alert, record }) => (alert ?? record) as string).sort(),
      );
      expect(all.filter(({ state }) => state === 'firing')).toEqual([]);
    },
    PATIENCE_MS,
  );

  test('complains of no sample', async () => {
    const own = await (await fetch(`${prometheus.url}/metrics`)).text();
    for (const what of ['duplicate_timestamp', 'out_of_order', 'out_of_bounds'])
      expect(own).toContain(`prometheus_target_scrapes_sample_${what}_total 0\n`);
    const said = await prometheus.end();
    const complaints = said.split('\n').filter((line) => /level=(?:warn|error)/.test(line));
    expect(complaints.filter((line) => !line.includes('Received SIGTERM'))).toEqual([]);
  });
});
