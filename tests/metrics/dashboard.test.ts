import { describe, expect, test } from 'bun:test';
import { createRegistry } from '../../src/metrics/registry.ts';
import { busy } from './built.ts';
import { readExposition, seriesNames } from './exposition.ts';
import { ALERT_TESTS, chosenAll, metricNames, readDashboard, readRules } from './expressions.ts';

const exported = new Set(seriesNames(readExposition(await createRegistry(busy()).metrics())));
const dashboard = await readDashboard();
const rules = await readRules();
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
/** Prometheus makes it of each target. */
const OWN = ['up'];

describe('names of metrics in an expression', () => {
  test.each([
    ['sum by (a_b) (rate(x_total{code=~"5..",b="} y"}[5m])) / (z > 0)', ['x_total', 'z']],
    ['job:x:rate5m > 0.05 and job:y:rate5m > 1e3', ['job:x:rate5m', 'job:y:rate5m']],
    ['count(x) or vector(0)', ['x']],
    ['x / on (job) group_left (version) y unless z offset 5m', ['x', 'y', 'z']],
    ['time() - x', ['x']],
  ])('%s', (expr, names) => {
    expect(metricNames(expr)).toEqual(names);
  });
});

describe('the dashboard', () => {
  test('is one that Grafana takes: an id, a schema, a data source to choose, and what to choose from', () => {
    expect(dashboard.uid).toBe('ringmaster');
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
      ['instance', 'query'],
      ['plane', 'custom'],
    ]);
    expect(dashboard).not.toHaveProperty('id');
  });

  test('has no panel without title, description, unit, and the data source that is chosen', () => {
    expect(panels.length).toBeGreaterThan(20);
    for (const { title, description, fieldConfig, datasource, targets = [] } of panels) {
      expect(title).toMatch(/^[A-Z]/);
      expect(`${title}: ${description}`).toMatch(/: [A-Z].*\.$/);
      expect(`${title}: ${fieldConfig?.defaults.unit}`).toMatch(
        /: (?:short|none|reqps|ops|s|bytes|percentunit)$/,
      );
      expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
      expect(targets.length).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    }
  });

  test('has no two panels with one id, one title or one place', () => {
    const all = dashboard.panels;
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(new Set(all.map(({ title }) => title)).size).toBe(all.length);
    const cells = all.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of all) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });

  test('reads only what is exported, and all of it by job and Ringmaster', () => {
    for (const { title, targets = [] } of panels)
      for (const { expr } of targets) {
        const names = metricNames(expr);
        expect(names.length).toBeGreaterThan(0);
        expect([title, names.filter((name) => !exported.has(name))]).toEqual([title, []]);
        expect(expr.match(/job=~"\$job",instance=~"\$instance"/g)?.length).toBe(expr.match(/\{/g)?.length);
        expect(chosenAll(expr)).not.toContain('$');
      }
    for (const { definition = '' } of dashboard.templating.list)
      for (const [, name = ''] of definition.matchAll(/label_values\((\w+)/g))
        expect(exported).toContain(name);
  });

  test('leaves nothing out that is exported', () => {
    const shown = new Set(
      panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricNames(expr))),
    );
    const left = [...exported].filter((name) => !/_(?:sum|count)$/.test(name) && !shown.has(name));
    expect(left).toEqual([]);
  });
});

describe('the alerts', () => {
  const alerts = rules.filter(({ alert }) => alert !== undefined);
  const recorded = rules.flatMap(({ record }) => record ?? []);

  test('read only what is exported or recorded', () => {
    for (const { alert, record, expr } of rules) {
      const unknown = metricNames(expr).filter((name) => ![...exported, ...recorded, ...OWN].includes(name));
      expect([alert ?? record, unknown]).toEqual([alert ?? record, []]);
    }
  });

  test('each say how bad it is, what is wrong and what to do', () => {
    expect(alerts.length).toBeGreaterThan(10);
    for (const { alert, labels = {}, annotations = {} } of alerts) {
      expect(alert).toMatch(/^Ringmasters?[A-Z]/);
      expect(labels['severity']).toMatch(/^(?:critical|warning)$/);
      expect(Object.keys(annotations).sort()).toEqual(['action', 'summary']);
      for (const text of Object.values(annotations)) expect(text).toMatch(/^[^\n]{30,}\.$/);
    }
  });

  test('each have a test in which they fire, and one in which they do not; so has what is recorded', async () => {
    const { tests } = Bun.YAML.parse(await Bun.file(ALERT_TESTS).text()) as {
      tests: { promql_expr_test: { expr: string; exp_samples: unknown[] }[] }[];
    };
    const cases = tests.flatMap(({ promql_expr_test }) => promql_expr_test);
    const of = (alert: string | undefined): boolean[] =>
      cases
        .filter(({ expr }) => expr.includes(`alertname="${alert}",alertstate="firing"`))
        .map(({ exp_samples }) => exp_samples.length > 0);
    for (const { alert } of alerts)
      expect([alert, ...new Set(of(alert))].sort()).toEqual([alert, false, true].sort());
    for (const record of recorded) expect(cases.some(({ expr }) => expr.includes(record))).toBe(true);
  });
});
