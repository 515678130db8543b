import type Docker from 'dockerode';
import type { NetworkCreateOptions, NetworkInspectInfo } from 'dockerode';
import { StartFailed } from '../runtime.ts';
import { call, unlessGone } from './engine.ts';
import { LABEL } from './template.ts';

/** What a network is made as, where the engine is one host. */
const BRIDGE: NetworkKind = { options: { Driver: 'bridge', CheckDuplicate: true }, call };

export interface NetworkKind {
  readonly options: Omit<NetworkCreateOptions, 'Name' | 'Labels'>;
  /** How a call of the engine is awaited, and its errors told apart. */
  readonly call: <T>(pending: Promise<T>) => Promise<T>;
}

/** The network that replicas have to themselves, where Ringmaster is no container beside them. */
export class ReplicaNetwork {
  readonly #docker: Docker;
  readonly #name: string;
  readonly #cluster: string;
  readonly #kind: NetworkKind;
  #ensuring: Promise<void> | undefined;

  constructor(docker: Docker, name: string, cluster: string, kind = BRIDGE) {
    this.#docker = docker;
    this.#name = name;
    this.#cluster = cluster;
    this.#kind = kind;
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
    if (first === undefined) await this.#make();
    for (const { Id } of others) await unlessGone(this.#docker.getNetwork(Id).remove());
  }

  async #make(): Promise<void> {
    const { options, call: engineCall } = this.#kind;
    try {
      const Labels = { [LABEL.cluster]: this.#cluster };
      await engineCall(this.#docker.createNetwork({ ...options, Name: this.#name, Labels }));
    } catch (error) {
      // Where several Ringmasters share an engine another one of them may have been first.
      if ((await this.#ours()).length === 0) throw error;
    }
  }

  /** The oldest first, which is the one that replicas may be on. Throws StartFailed where one is somebody else's. */
  async #ours(): Promise<NetworkInspectInfo[]> {
    const listed = await this.#kind.call(this.#docker.listNetworks({ filters: { name: [this.#name] } }));
    const named = listed.filter(({ Name }) => Name === this.#name);
    if (named.some(({ Labels }) => Labels?.[LABEL.cluster] !== this.#cluster))
      throw new StartFailed(`the network ${this.#name} on this engine is not ours: remove it or set CLUSTER`);
    return named.toSorted((a, b) => a.Created.localeCompare(b.Created));
  }
}
