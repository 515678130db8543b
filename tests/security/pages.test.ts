import { expect, test } from 'bun:test';
import { spawnRingmaster } from '../spawned.ts';

const PATIENCE_MS = 60_000;

test(
  'is served with a policy that lets it run its own scripts alone',
  async () => {
    const ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '0',
      CLUSTER: `sec-${process.pid}`,
    });
    for (const path of ['/swagger', '/swagger/', '/swagger/json']) {
      const { status, headers } = await fetch(ringmaster.url + path);
      expect(status).toBe(200);
      const policy = new Map(
        (headers.get('content-security-policy') ?? '').split('; ').map((rule) => {
          const [name = '', ...sources] = rule.split(' ');
          return [name, sources.join(' ')];
        }),
      );
      expect(policy.get('default-src')).toBe("'self'");
      // The hash is of white space.
      expect(policy.get('script-src')).toMatch(/^'self' 'sha256-[\w+/]{43}='$/);
      for (const rule of ['base-uri', 'form-action', 'frame-ancestors'])
        expect(policy.get(rule)).toBe("'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    // Every script of the page is a file of ours.
    const page = await (await fetch(`${ringmaster.url}/swagger`)).text();
    for (const [, attributes = '', content = ''] of page.matchAll(/<script([^>]*)>([^]*?)<\/script>/g))
      expect(content.trim() === '' || /src="\/swagger\//.test(attributes)).toBe(true);
    expect(await ringmaster.end('SIGTERM')).toBe(0);
  },
  PATIENCE_MS,
);
