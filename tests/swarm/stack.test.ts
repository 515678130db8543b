import { describe, expect, test } from 'bun:test';
import { STACK_FILE } from './stack.ts';

interface Composed {
  readonly services: { readonly ringmaster: { readonly environment: Readonly<Record<string, unknown>> } };
}

const environmentOf = async (path: string): Promise<Record<string, unknown>> =>
  (Bun.YAML.parse(await Bun.file(path).text()) as Composed).services.ringmaster.environment;

describe('the stack file', () => {
  test('passes on the same variables as the file for Docker Compose, and differs in the runtime alone', async () => {
    const compose = await environmentOf(new URL('../../docker-compose.yml', import.meta.url).pathname);
    expect(await environmentOf(STACK_FILE)).toEqual({ ...compose, RUNTIME: 'swarm' });
  });
});
