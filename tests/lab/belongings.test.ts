import { describe, expect, test } from 'bun:test';
import { spawn, type ChildProcess } from 'node:child_process';
import { Belongings } from '../../src/lab/belongings.ts';
import { LabError } from '../../src/lab/errors.ts';

const CLUSTER = 'lab-1-abc123000-ring';
const COMMANDS = [
  `containers and the network of ${CLUSTER} may be left. This removes them:`,
  `  docker rm -fv $(docker ps -aq --filter label=ringmaster.cluster=${CLUSTER}); docker network prune -f --filter label=ringmaster.cluster=${CLUSTER}`,
].join('\n');

/** An engine that notes of what it removed everything, and whether who could heal it had ended by then. */
function noting(child: ChildProcess, answer: () => Promise<void> = () => Promise.resolve()) {
  const removed: string[] = [];
  const remove = async (cluster: string) => {
    removed.push(`${cluster} ${child.exitCode ?? child.signalCode ?? 'before its end'}`);
    await answer();
    return { containers: 1, networks: 1 };
  };
  return { remove, removed };
}

/** A process that does so on SIGTERM, and has said that it is there. */
async function ending(onTerm: string): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', `trap '${onTerm}' TERM; echo; while :; do sleep 0.02; done`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

async function messageOf(work: Promise<void>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LabError);
  return (error as LabError).message;
}

describe('what the lab has started', () => {
  test.each<[string, string, string[]]>([
    ['ended in order has removed what it had itself', 'exit 0', []],
    ['ended with an error has what it had removed', 'exit 3', [`${CLUSTER} 3`]],
  ])('%s', async (_, onTerm, expected) => {
    const child = await ending(onTerm);
    const engine = noting(child);
    const belongings = new Belongings();
    belongings.add(CLUSTER, child, engine);
    expect(belongings.left()).toBe(COMMANDS);
    await belongings.end(CLUSTER);
    expect(engine.removed).toEqual(expected);
    expect(belongings.left()).toBe('');
  });

  test('is ended by force before what it has is removed, once, and who waits for its end goes on', async () => {
    const child = await ending(':');
    const engine = noting(child);
    const belongings = new Belongings();
    belongings.add(CLUSTER, child, engine);
    const inOrder = belongings.end(CLUSTER);
    await belongings.endByForce();
    await inOrder;
    expect(engine.removed).toEqual([`${CLUSTER} SIGKILL`]);
    expect(belongings.left()).toBe('');
  });

  test('has nothing at an engine where its replicas are processes', async () => {
    const child = await ending(':');
    const engine = noting(child);
    const belongings = new Belongings();
    belongings.add(CLUSTER, child, engine);
    belongings.hasNoContainers(CLUSTER);
    expect(belongings.left()).toBe('');
    await belongings.endByForce();
    expect([engine.removed, child.signalCode]).toEqual([[], 'SIGKILL']);
  });

  test.each<[string, () => Promise<void>, string]>([
    ['does not answer', () => new Promise(() => {}), 'it took longer than 0.05 s'],
    ['refuses', () => Promise.reject(new Error('it has active endpoints')), 'it has active endpoints'],
  ])('is told of with the command that removes it where the engine %s', async (_, answer, why) => {
    const child = await ending(':');
    const belongings = new Belongings(50);
    belongings.add(CLUSTER, child, noting(child, answer));
    expect(await messageOf(belongings.endByForce())).toBe(
      `what was started could not be removed by force: ${why}\n${COMMANDS}`,
    );
    expect(belongings.left()).toBe(COMMANDS);
  });

  test('that could not even be started has nothing', async () => {
    const child = spawn('/nonexistent/program');
    child.on('error', () => {});
    const belongings = new Belongings();
    belongings.add(CLUSTER, child, undefined);
    await belongings.end(CLUSTER);
    await belongings.endByForce();
    expect(belongings.left()).toBe('');
  });
});
