import { expect, test } from 'bun:test';
import { EngineProxy } from './engine-proxy.ts';
import { eventually, spawnRingmaster } from './spawned.ts';

const PATIENCE_MS = 120_000;

test(
  'without its engine Ringmaster is alive, sends requests on, and is not ready until the engine is back',
  async () => {
    const engine = new EngineProxy();
    engine.up();
    const ringmaster = await spawnRingmaster({
      RUNTIME: 'docker',
      REPLICAS: '1',
      CLUSTER: `rm-ready-${process.pid}`,
      DOCKER_HOST: engine.dockerHost,
    });
    const ask = async (path: string): Promise<string> => {
      const reply = await fetch(ringmaster.url + path);
      return `${reply.status} ${await reply.text()}`;
    };
    try {
      expect(await ask('/ready')).toBe('200 {"ready":true}');
      engine.down();
      await eventually(async () => (await ask('/ready')).startsWith('503'));
      expect(await ask('/ready')).toContain('<Error> The engine does not answer');
      expect(await ask('/heartbeat')).toBe('200 Hello');
      expect(await ask('/home')).toStartWith('200');
      engine.up();
      await eventually(async () => (await ask('/ready')) === '200 {"ready":true}');
    } finally {
      expect(await ringmaster.end('SIGTERM')).toBe(0);
      engine.down();
    }
  },
  PATIENCE_MS,
);
