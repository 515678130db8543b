import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { StartFailed } from '../runtime.ts';
import { call, unlessGone } from './engine.ts';
import { containerNames, LABEL } from './template.ts';

/** How often it is looked whether all has gone. */
const LOOK_EVERY_MS = 250;
/** Looks in a row that find nothing: what a Ringmaster asked for as it was killed, the engine may still be making. */
const QUIET_LOOKS = 2;
/** What is still there after so many is not going. */
const LOOKS_MAX = 20;

/** How many of each. */
export interface Holding {
  readonly containers: number;
  readonly networks: number;
}

interface Ids {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
}

/** What an engine has of clusters whose Ringmaster is no more, to be removed from outside. */
export class Clusters {
  readonly #docker = new Docker();

  /** Throws EngineGone where no engine answers. */
  static async open(): Promise<Clusters> {
    const clusters = new Clusters();
    await call(clusters.#docker.ping());
    return clusters;
  }

  /** Every cluster that a container or a network is labelled with, in alphabetical order. Throws EngineGone. */
  async names(): Promise<string[]> {
    const filters = { label: [LABEL.cluster] };
    const [containers, networks] = await Promise.all([
      call(this.#docker.listContainers({ all: true, filters })),
      call(this.#docker.listNetworks({ filters })),
    ]);
    const found = [...containers, ...networks].map(({ Labels }) => Labels?.[LABEL.cluster] ?? '');
    return [...new Set(found)].filter((name) => name !== '').sort();
  }

  /**
   * Removes by force the containers and the networks of a cluster, those with its label and its names, and gives how many. Its Ringmaster must have ended
   * before, or it heals them. Throws EngineGone, or StartFailed where something stays.
   */
  async remove(cluster: string): Promise<Holding> {
    const containers = new Set<string>();
    const networks = new Set<string>();
    let refused: unknown;
    for (let looks = 0, quiet = 0; looks < LOOKS_MAX; looks++) {
      const there = await this.#of(cluster);
      quiet = there.containers.length + there.networks.length === 0 ? quiet + 1 : 0;
      if (quiet >= QUIET_LOOKS) return { containers: containers.size, networks: networks.size };
      refused = await this.#removeAll(there);
      for (const id of there.containers) containers.add(id);
      for (const id of there.networks) networks.add(id);
      await sleep(LOOK_EVERY_MS);
    }
    throw refused ?? new StartFailed(`what there is of ${cluster} does not go`);
  }

  async #of(cluster: string): Promise<Ids> {
    const filters = { label: [`${LABEL.cluster}=${cluster}`] };
    const [containers, networks] = await Promise.all([
      call(this.#docker.listContainers({ all: true, filters })),
      call(this.#docker.listNetworks({ filters })),
    ]);
    // Not all that bears the label is ours: names have to agree with it.
    const ours = containers.filter(({ Names, Labels }) =>
      containerNames(cluster, Labels[LABEL.name] ?? '').some((name) => Names.includes(`/${name}`)),
    );
    const ownNetworks = networks.filter(({ Name }) => Name === cluster);
    return { containers: ours.map(({ Id }) => Id), networks: ownNetworks.map(({ Id }) => Id) };
  }

  /** Gives what the engine said against it; that may have passed by the next look. */
  async #removeAll({ containers, networks }: Ids): Promise<unknown> {
    const removals = [
      // A network goes only when nothing is on it any more.
      await Promise.allSettled(
        containers.map((id) => unlessGone(this.#docker.getContainer(id).remove({ force: true, v: true }))),
      ),
      await Promise.allSettled(networks.map((id) => unlessGone(this.#docker.getNetwork(id).remove()))),
    ];
    return removals.flat().find((one) => one.status === 'rejected')?.reason;
  }
}
