/** A Ringmaster with three replicas that a director leads, as containers; and all that is to be tidied up after it. */
import { afterAll, afterEach, expect } from 'bun:test';
import Docker from 'dockerode';
import { silentLog } from '../../src/log.ts';
import { ensureImage, OWN_IMAGE } from '../../src/runtime/docker/image.ts';
import { spawnRingmaster, type Environment, type Spawned } from '../spawned.ts';
import { BothPorts, type BothPortsOptions } from './both-ports.ts';
import { Director } from './director.ts';
import type { SecondEngine } from './second-engine.ts';
import { departures, EngineWitness } from './witness.ts';

export const NAMES = ['server-1', 'server-2', 'server-3'] as const;
/** Answered on each port before and after a fault. */
const AROUND = 400;
/** Where the image has the replica. */
const PROGRAM = 'tests-replica.ts';

export interface Scene {
  readonly cluster: string;
  readonly image: string;
  readonly director: Director;
  readonly witness: EngineWitness;
  readonly env: Environment;
  ringmaster: Spawned;
  readonly load: BothPorts;
  /** Runs a command of docker's on its engine. */
  docker(command: string): Promise<string>;
  /** The engine's own name of a replica. */
  container(replica: string): string;
}

export interface SceneOptions {
  readonly env?: Environment;
  readonly load?: BothPortsOptions;
}

export async function docker(command: string): Promise<string> {
  return (await Bun.$`docker ${{ raw: command }}`.quiet().text()).trim();
}

/** Makes an image with the directed replica; a test takes a name of its own, and removes it. */
export async function directedImage(image: string): Promise<void> {
  await ensureImage(new Docker(), OWN_IMAGE, silentLog);
  const container = await docker(`create ${OWN_IMAGE}`);
  try {
    await docker(`cp ${import.meta.dir}/replica/server.ts ${container}:/home/bun/app/${PROGRAM}`);
    await docker(`commit ${container} ${image}`);
  } finally {
    await docker(`rm ${container}`);
  }
}

/** Opens scenes for the tests of one file, and leaves nothing of them behind. */
export class Stage {
  readonly image: string;
  readonly #name: string;
  readonly #open: Scene[] = [];
  readonly #engine: () => SecondEngine | undefined;
  #made: Promise<void> | undefined;
  #count = 0;

  /** On the machine's engine, or on another. */
  constructor(name: string, engine: () => SecondEngine | undefined = () => undefined) {
    this.#engine = engine;
    this.#name = `${name}-${process.pid}`;
    this.image = `ringmaster-test-${this.#name}:1`;
    afterEach(() => this.#clear());
    afterAll(async () => {
      if (this.#made !== undefined) await docker(`rmi -f ${this.image}`).catch(() => {});
    });
  }

  async open({ env = {}, load = {} }: SceneOptions = {}): Promise<Scene> {
    const engine = this.#engine();
    await (this.#made ??= this.#make(engine));
    const cluster = `${this.#name}-${++this.#count}`;
    const director = await Director.open();
    const witness = EngineWitness.open(cluster, engine?.dockerHost);
    const all = {
      RUNTIME: 'docker',
      CLUSTER: cluster,
      REPLICA_IMAGE: this.image,
      REPLICA_COMMAND: `bun ${PROGRAM} gateway ${director.port}`,
      ...(engine === undefined ? {} : { DOCKER_HOST: engine.dockerHost }),
      ...env,
    };
    const ringmaster = await spawnRingmaster(all);
    const scene: Scene = {
      cluster,
      image: this.image,
      docker: (command) => engine?.docker(command) ?? docker(command),
      director,
      witness,
      env: all,
      ringmaster,
      load: new BothPorts(ringmaster, NAMES, load),
      container: (replica) => `${cluster}-${replica}`,
    };
    this.#open.push(scene);
    return scene;
  }

  async #make(engine: SecondEngine | undefined): Promise<void> {
    await directedImage(this.image);
    await engine?.load(this.image);
  }

  async #clear(): Promise<void> {
    for (const { ringmaster, director, witness, cluster, docker: run } of this.#open.splice(0)) {
      await ringmaster.end('SIGTERM');
      await witness.end();
      director.close();
      const left = await run(`ps -aq --filter label=ringmaster.cluster=${cluster}`);
      if (left !== '') await run(`rm -f ${left.split('\n').join(' ')}`);
      const networks = await run(`network ls -q --filter label=ringmaster.cluster=${cluster}`);
      if (networks !== '') await run(`network rm ${networks.split('\n').join(' ')}`);
    }
  }
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Opens a scene that has been under load for a while. */
export async function underLoad(
  stage: Stage,
  env: Environment = {},
  load: BothPortsOptions = {},
): Promise<Scene> {
  const scene = await stage.open({ env, load });
  await scene.load.settled();
  scene.load.begin('before');
  await scene.load.more(AROUND);
  return scene;
}

/** Those that are not among the victims kept their keys all the time, and their places. */
export function othersUntouched(
  { load, ringmaster }: Scene,
  sinceMs: number,
  victims: readonly string[],
): void {
  expect(load.strangers('during', victims)).toBe(0);
  for (const line of departures(ringmaster, sinceMs)) expect(victims).toContain(line.split(':')[0] as string);
}

/** All is as it was: the map, members, and containers. Ends the load. */
export async function asBefore(scene: Scene): Promise<void> {
  const { load, ringmaster, director, cluster, container } = scene;
  await load.settled();
  load.begin('after');
  await load.more(AROUND);
  expect(load.strangers('after', [])).toBe(0);
  await load.end(director);
  expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toEqual({ N: 3, replicas: [...NAMES] });
  const filter = `--filter label=ringmaster.cluster=${cluster} --format {{.Names}}:{{.State}}`;
  const found = await scene.docker(`ps -a ${filter}`);
  expect(found.split('\n').sort()).toEqual(NAMES.map((name) => `${container(name)}:running`));
}
