import type Docker from 'dockerode';
import type { NetworkInspectInfo } from 'dockerode';
import { StartFailed } from '../runtime.ts';
import { call, unlessGone } from './engine.ts';
import { LABEL } from './template.ts';

/** The network that replicas have to themselves, where Ringmaster is no container beside them. */
export class ReplicaNetwork {
  readonly #docker: Docker;
  readonly #name: string;
  readonly #cluster: string;
  #ensuring: Promise<void> | undefined;

  constructor(docker: Docker, name: string, cluster: string) {
    this.#docker = docker;
    this.#name = name;
    this.#cluster = cluster;
  }

  /**
   * Has it there, and once: engines make several of one name for who asks at the same time, and then start nothing on
   * any of them. So those who ask while it is being made wait for that. Throws EngineGone, or StartFailed where the name
   * is somebody else's.
   */
  ensure(): Promise<void> {
    this.#ensuring ??= this.#ensure().finally(() => {
      this.#ensuring = undefined;
    });
    return this.#ensuring;
  }

  /** Removes all of that name that are ours. Throws where one is still in use. */
  async remove(): Promise<void> {
    for (const { Id } of await this.#ours()) await unlessGone(this.#docker.getNetwork(Id).remove());
  }

  async #ensure(): Promise<void> {
    const [first, ...others] = await this.#ours();
    if (first === undefined)
      await call(
        this.#docker.createNetwork({
          Name: this.#name,
          Driver: 'bridge',
          Labels: { [LABEL.cluster]: this.#cluster },
          CheckDuplicate: true,
        }),
      );
    for (const { Id } of others) await unlessGone(this.#docker.getNetwork(Id).remove());
  }

  /** The oldest first, which is the one that replicas may be on. Throws StartFailed where one is somebody else's. */
  async #ours(): Promise<NetworkInspectInfo[]> {
    const listed = await call(this.#docker.listNetworks({ filters: { name: [this.#name] } }));
    const named = listed.filter(({ Name }) => Name === this.#name);
    if (named.some(({ Labels }) => Labels?.[LABEL.cluster] !== this.#cluster))
      throw new StartFailed(`the network ${this.#name} on this engine is not ours: remove it or set CLUSTER`);
    return named.toSorted((a, b) => a.Created.localeCompare(b.Created));
  }
}
