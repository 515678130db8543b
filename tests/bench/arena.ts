import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BACKEND_NAMES } from './backend-reply.ts';
import { Driver } from './driver.ts';
import type { Program, Upstream } from './peers/program.ts';
import { freePorts, Stage, untilAnswered, type Started } from './stage.ts';

/** A program that runs, at one port for each of its entrances. */
export interface Running {
  readonly started: Started;
  readonly ports: readonly number[];
}

/** Where programs are measured: replicas behind them, a load before them, and cores parted between the two. */
export class Arena {
  private constructor(
    readonly stage: Stage,
    readonly driver: Driver,
    readonly upstreams: readonly Upstream[],
  ) {}

  /** Calls `bench` with one that is ready, and leaves nothing of it behind. */
  static async with<Result>(bench: (arena: Arena) => Promise<Result>): Promise<Result> {
    const stage = new Stage();
    try {
      const ports = await freePorts(BACKEND_NAMES.length);
      const argv = [process.execPath, scriptPath('backends.ts'), ...ports.map(String)];
      const backends = stage.start('backends', { argv }, 'others');
      for (const port of ports) await untilAnswered(`http://127.0.0.1:${port}/`, backends);
      const upstreams = BACKEND_NAMES.map((name, i) => ({ name, port: ports[i]! }));
      return await bench(new Arena(stage, new Driver(stage), upstreams));
    } finally {
      await stage.close();
    }
  }

  /** Resolves when it answers `path` at all its entrances. */
  async start(program: Program, version: string, path: string): Promise<Running> {
    const ports = await freePorts(program.entrances.length);
    const dir = join(this.stage.dir, crypto.randomUUID());
    mkdirSync(dir);
    const { filesMax } = this.stage;
    const setUp = program.setUp({ dir, ports, upstreams: this.upstreams, version, filesMax });
    for (const [name, text] of Object.entries(setUp.files ?? {})) writeFileSync(join(dir, name), text);
    const started = this.stage.start(program.name, setUp, 'measured');
    for (const port of ports) await untilAnswered(`http://127.0.0.1:${port}${path}?id=1`, started);
    return { started, ports };
  }

  /** One line on how comparable the figures are. */
  get pinText(): string {
    return this.stage.cores === undefined
      ? 'Nothing is bound to a core, which takes taskset and two cores: the figures hardly compare.'
      : 'What is measured has one core; the load and the replicas have the others.';
  }
}

/** The path of a script that lies beside this one. */
export function scriptPath(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
