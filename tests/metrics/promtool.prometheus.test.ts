import { describe, expect, test } from 'bun:test';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRegistry } from '../../src/metrics/registry.ts';
import { Built, busy } from './built.ts';
import { ALERTS, ALERT_TESTS } from './expressions.ts';
import { promtool } from './prometheus.ts';
import { scrapeConfig } from './readme.ts';

function hostile(): Built {
  const built = new Built('a"b', 'a\\b', 'a\nb', 'é☃', '}');
  for (const { name } of built.fleet.views)
    for (let code = 0; code < 1000; code++) built.tallies.traffic.of(name).answered(code, code);
  return built;
}

describe('promtool', () => {
  test.each([
    ['nothing yet', new Built()],
    ['something of everything', busy()],
    ['hostile names and statuses', hostile()],
  ])('finds nothing wrong with metrics of %s', async (_, source) => {
    const text = await createRegistry(source).metrics();
    expect(await promtool(['check', 'metrics'], text)).toEqual({ status: 0, said: '' });
  });

  test('finds something wrong where something is', async () => {
    expect((await promtool(['check', 'metrics'], 'x_total{a="b} 1\n')).status).not.toBe(0);
  });

  test('takes the rules', async () => {
    const { status, said } = await promtool(['check', 'rules', '--lint-fatal', ALERTS]);
    expect(said).toContain('SUCCESS');
    expect(status).toBe(0);
  });

  test('takes the configuration that the README has, beside the rules', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
    try {
      const config = join(folder, 'prometheus.yml');
      await Bun.write(config, await scrapeConfig());
      await copyFile(ALERTS, join(folder, 'alerts.yml'));
      const { status, said } = await promtool(['check', 'config', '--lint-fatal', config]);
      expect(said).toContain('1 rule files found');
      expect(status).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('sees each alert fire when it should, and not otherwise', async () => {
    const { status, said } = await promtool(['test', 'rules', ALERT_TESTS]);
    expect(said).toContain('SUCCESS');
    expect(status).toBe(0);
  });
});
