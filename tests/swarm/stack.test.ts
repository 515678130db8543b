import { describe, expect, test } from 'bun:test';
import { STACK_FILE } from './stack.ts';

interface Service {
  readonly environment: Readonly<Record<string, unknown>>;
  readonly healthcheck: { readonly test: readonly string[] };
}

const COMPOSE_FILE = new URL('../../docker-compose.yml', import.meta.url).pathname;

const serviceOf = async (path: string): Promise<Service> =>
  (Bun.YAML.parse(await Bun.file(path).text()) as { services: { ringmaster: Service } }).services.ringmaster;

describe('the stack file', () => {
  test('passes on the same variables as the file for Docker Compose, and differs in the runtime alone', async () => {
    const { environment } = await serviceOf(COMPOSE_FILE);
    expect((await serviceOf(STACK_FILE)).environment).toEqual({ ...environment, RUNTIME: 'swarm' });
  });

  // A Swarm kills who is not healthy; Compose only tells.
  test('asks whether Ringmaster is alive, where the file for Docker Compose asks whether it is ready', async () => {
    const { healthcheck } = await serviceOf(COMPOSE_FILE);
    expect(healthcheck.test.at(-1)).toContain('/ready"');
    const test = healthcheck.test.map((word) => word.replace('/ready"', '/heartbeat"'));
    expect((await serviceOf(STACK_FILE)).healthcheck).toEqual({ ...healthcheck, test });
  });
});
