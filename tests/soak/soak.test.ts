import { describe, expect, test } from 'bun:test';
import { treeOf } from '../bench/usage.ts';
import { gone } from '../processes.ts';
import { eventually } from '../spawned.ts';
import { soaks } from './soak.suite.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

describe('the soak', () => {
  soaks({ runtime: 'process', workers: 2, seed: 3, minutes: 0.5, changes: 3, faults: 1 });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it in order, with the report so far', async (signal) => {
    const command = [process.execPath, 'tests/soak/run.ts', '60', '--runtime', 'process', '--workers', '1'];
    const child = Bun.spawn(command, { cwd: ROOT, stdout: 'pipe', stderr: 'inherit' });
    let output = '';
    let pids: number[] = [];
    for await (const chunk of child.stdout) {
      output += new TextDecoder().decode(chunk);
      if (pids.length > 0 || !output.includes('members: ')) continue;
      pids = treeOf(child.pid);
      child.kill(signal);
    }
    expect(output).toContain('interrupted');
    expect(output).toContain('exit status 0, left behind: nothing');
    expect(await child.exited).toBe(0);
    expect(pids.length).toBeGreaterThan(3);
    for (const pid of pids) await eventually(() => gone(pid));
  });

  test.each([[['x']], [['--runtime', 'static']]])('%j is refused in a line', async (args) => {
    const child = Bun.spawn([process.execPath, 'tests/soak/run.ts', ...args], {
      cwd: ROOT,
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    expect([await child.exited, stdout, stderr.trim().split('\n').length]).toEqual([1, '', 1]);
  });
});
