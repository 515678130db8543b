import { describe, expect, test } from 'bun:test';
import { createRegistry } from '../../src/metrics/registry.ts';
import { busy } from './built.ts';
import { readExposition } from './exposition.ts';
import { readRules } from './expressions.ts';
import { metricsSection } from './readme.ts';

const section = await metricsSection();

describe('what the README says of metrics', () => {
  test('is each that is exported, with its type and labels, and no other', async () => {
    const exported = [...readExposition(await createRegistry(busy()).metrics())].map(
      ([name, { type, lines }]) => [
        name,
        type,
        ...Object.keys(lines[0]?.labels ?? {})
          .filter((label) => label !== 'le')
          .sort(),
      ],
    );
    const rows = [...section.matchAll(/^\| `(\w+)` *\| (\w+) *\| ([^|]*)\| (.*) \|$/gm)];
    const told = rows.map(([, name = '', type = '', labels = '']) => [
      name,
      type,
      ...[...labels.matchAll(/`(\w+)`/g)].map((match) => match[1] as string).sort(),
    ]);
    expect(told.sort()).toEqual(exported.sort());
    for (const [, , , , tells = ''] of rows) expect(tells.trim().length).toBeGreaterThan(5);
  });

  test('has the states, kinds and verbs that there are', async () => {
    const families = readExposition(await createRegistry(busy()).metrics());
    for (const [name, label] of [
      ['ringmaster_client_connections', 'state'],
      ['ringmaster_replica_state', 'state'],
      ['ringmaster_membership_changes_total', 'kind'],
      ['ringmaster_engine_calls_total', 'verb'],
    ] as const) {
      const row = section.split('\n').find((line) => line.startsWith(`| \`${name}\` `));
      for (const { labels } of families.get(name)?.lines ?? []) expect(row).toContain(`\`${labels[label]}\``);
    }
  });

  test('names the job that the alerts go by', async () => {
    const jobs = (await readRules()).flatMap(({ expr }) =>
      [...expr.matchAll(/job="([^"]+)"/g)].map((match) => match[1]),
    );
    expect(new Set(jobs)).toEqual(new Set(['ringmaster']));
    expect(section).toContain('job_name: ringmaster\n');
  });
});
