import Docker, {
  type ContainerCreateOptions,
  type ContainerInfo,
  type ContainerInspectInfo,
} from 'dockerode';
import type { Log } from '../../log.ts';
import { networkNaming, type Naming } from '../naming.ts';
import {
  marked,
  NameInUse,
  StartFailed,
  weightOf,
  type Address,
  type Instance,
  type InstanceSpec,
  type Mark,
  type Runtime,
} from '../runtime.ts';
import { call, found, unlessGone } from './engine.ts';
import { watchEvents } from './events.ts';
import { ensureImage } from './image.ts';
import { ReplicaNetwork } from './network.ts';
import {
  containerName,
  containerNames,
  createTemplate,
  healingName,
  LABEL,
  markedName,
  markOf,
  pidsOfWeight,
  templateSource,
  weightOfPids,
  type ReplicaOptions,
  type TemplateSource,
} from './template.ts';
import { findVantage, type Vantage } from './vantage.ts';

/** Lines of a dead replica's output that go to the log. */
const OUTPUT_KEPT_LINES = 10;
/** And characters: a line may be of any length, and who dies again and again must not fill the log. */
const OUTPUT_KEPT_CHARS = 2000;

export interface DockerRuntimeOptions extends ReplicaOptions {
  readonly log: Log;
  /** For tests; otherwise found out. */
  readonly vantage?: Vantage;
}

/** A container of ours, and what it is called. */
interface Found {
  readonly container: string;
  readonly instance: Instance;
}

/** Replicas as containers. The engine is the database: labels and names say what is ours, nothing is kept elsewhere. */
export class DockerRuntime implements Runtime {
  readonly kind = 'docker';
  readonly durable = true;
  readonly owns = true;
  readonly naming: Naming;
  readonly #docker: Docker;
  readonly #source: TemplateSource;
  readonly #vantage: Vantage;
  readonly #log: Log;
  /** By container, the weight that was noted while it runs; undefined: none was. Of those that the last list had. */
  readonly #noted = new Map<string, number | undefined>();
  /** Undefined where it is the one that we are on ourselves. */
  readonly #network: ReplicaNetwork | undefined;

  private constructor(docker: Docker, source: TemplateSource, vantage: Vantage, log: Log) {
    this.naming = networkNaming(source.replicaPort);
    this.#docker = docker;
    this.#source = source;
    this.#vantage = vantage;
    this.#log = log;
    if (vantage.from !== 'beside') this.#network = new ReplicaNetwork(docker, source.network, source.cluster);
  }

  /** Throws EngineGone where no engine answers, StartFailed where image or network can't be had. */
  static async open(options: DockerRuntimeOptions): Promise<DockerRuntime> {
    const { log } = options;
    const docker = new Docker();
    await call(docker.ping());
    const vantage = options.vantage ?? (await findVantage(docker));
    const source = templateSource(options, vantage);
    await ensureImage(docker, source.image, log);
    const runtime = new DockerRuntime(docker, source, vantage, log);
    await runtime.#network?.ensure();
    log.debug({ image: source.image, vantage }, 'docker runtime');
    return runtime;
  }

  async list(): Promise<Instance[]> {
    return (await this.#ours()).map((one) => one.instance);
  }

  async start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance> {
    const { cluster } = this.#source;
    const replaced = await this.#clearFor(spec);
    // An add takes its final name only when it commits: what can't succeed then is refused now.
    if (!spec.committed && (await this.#exists(containerName(cluster, spec.name))))
      throw new NameInUse(`container ${containerName(cluster, spec.name)} is not ours`);
    if (signal.aborted) throw new StartFailed('was given up');
    // Whoever tidies up networks takes one without containers for unused.
    await this.#network?.ensure();
    const own = replaced === undefined ? undefined : healingName(cluster, spec.name);
    const container = await call(
      this.#docker.createContainer(createCall(createTemplate(this.#source, spec, own))),
    );
    try {
      if (replaced !== undefined) {
        await this.#remove(replaced);
        await call(container.rename({ name: containerName(cluster, spec.name) }));
      }
      await call(container.start());
      const info = await call(container.inspect());
      if (signal.aborted) throw new StartFailed('was given up');
      this.#noted.set(info.Id, undefined);
      const startedAtMs = Math.floor(Date.parse(info.Created) / 1000) * 1000;
      return { ...spec, id: info.Id, state: 'running', address: this.#address(info), startedAtMs };
    } catch (error) {
      // A member's stays, started or not: it is all that the engine knows of the member.
      if (!spec.committed) await this.#remove(container.id).catch(() => {});
      throw error;
    }
  }

  /**
   * Removes what is left under the name. Of a member one container stays until the next is there, and has the member's
   * name: a Ringmaster that is killed in between must find the member again. Gives the id of that one.
   */
  async #clearFor({ name, committed }: InstanceSpec): Promise<string | undefined> {
    const final = containerName(this.#source.cluster, name);
    const left = await this.#ours(name);
    const kept = committed ? (left.find((one) => one.container === final) ?? left[0]) : undefined;
    for (const { instance } of left) {
      if (instance.state === 'ended') await this.#logEnd(instance);
      if (instance.id !== kept?.instance.id) await this.#remove(instance.id);
    }
    if (kept !== undefined && kept.container !== final)
      await call(this.#docker.getContainer(kept.instance.id).rename({ name: final }));
    return kept?.instance.id;
  }

  async mark(names: readonly string[], as: Mark): Promise<string[]> {
    const results = await Promise.allSettled(
      names.map(async (name) => ((await this.#mark(name, as)) ? [] : [name])),
    );
    // None is on its way any more when who asked for it begins to take it back.
    return results.flatMap((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  }

  /** Gives whether there is a container of that name. Where a start was cut short there are two, of which one stays. */
  async #mark(name: string, as: Mark): Promise<boolean> {
    const { cluster } = this.#source;
    const left = await this.#ours(name);
    const kept = left.find((one) => one.container === containerName(cluster, name)) ?? left[0];
    if (kept === undefined) return false;
    for (const { instance } of left) if (instance.id !== kept.instance.id) await this.#remove(instance.id);
    const renamed = markedName(cluster, name, as);
    if (kept.container === renamed) return true;
    const container = this.#docker.getContainer(kept.instance.id);
    return (await found(container.rename({ name: renamed }).then(() => true))) ?? false;
  }

  async stop(name: string, graceMs: number): Promise<void> {
    for (const { instance } of await this.#ours(name)) {
      // The engine counts in whole seconds; less than half of one is none.
      const graceS = Math.round(graceMs / 1000);
      if (graceS > 0 && instance.state === 'running')
        await unlessGone(this.#docker.getContainer(instance.id).stop({ t: graceS }), graceMs);
      await this.#remove(instance.id);
    }
  }

  async weigh(name: string, weight: number): Promise<void> {
    for (const { instance } of await this.#ours(name)) {
      const container = this.#docker.getContainer(instance.id);
      if ((await found(container.update({ PidsLimit: pidsOfWeight(weight) }))) !== undefined)
        this.#noted.set(instance.id, weight);
    }
  }

  async kill(name: string): Promise<void> {
    const running = (await this.#ours(name)).filter(({ instance }) => instance.state !== 'ended');
    // 409: it has ended meanwhile.
    for (const { instance } of running) await unlessGone(this.#docker.getContainer(instance.id).kill());
  }

  watch(wake: () => void): () => void {
    return watchEvents(this.#docker, this.#source.cluster, wake);
  }

  async close(keep: boolean): Promise<void> {
    if (keep) return;
    // 403: something that is not ours is attached to it, and goes on needing it.
    await this.#network?.remove().catch((error: unknown) => this.#log.debug({ error }, 'the network stays'));
  }

  /** Containers with our label value, our name and our image: nothing else is ever adopted or removed. */
  async #ours(only?: string): Promise<Found[]> {
    const { cluster } = this.#source;
    const label = [`${LABEL.cluster}=${cluster}`, ...(only === undefined ? [] : [`${LABEL.name}=${only}`])];
    const infos = await call(this.#docker.listContainers({ all: true, filters: { label } }));
    const checked = await Promise.all(
      infos.map(async (info) => ((await this.#hasOurImage(info)) ? info : undefined)),
    );
    const ours = checked.flatMap((info) => (info === undefined ? [] : this.#instance(info)));
    if (only === undefined) this.#forgetAllBut(ours);
    return Promise.all(ours.map((one) => this.#weighed(one)));
  }

  /** The list does not tell the weights that were noted while containers run: of each it is asked once. */
  async #weighed({ container, instance }: Found): Promise<Found> {
    const { id } = instance;
    if (!this.#noted.has(id)) {
      const info = await found(this.#docker.getContainer(id).inspect());
      this.#noted.set(id, weightOfPids(info?.HostConfig.PidsLimit));
    }
    return { container, instance: { ...instance, weight: this.#noted.get(id) ?? instance.weight } };
  }

  #forgetAllBut(found: readonly Found[]): void {
    const there = new Set(found.map(({ instance }) => instance.id));
    for (const id of this.#noted.keys()) if (!there.has(id)) this.#noted.delete(id);
  }

  async #hasOurImage(info: ContainerInfo): Promise<boolean> {
    const { image } = this.#source;
    if (info.Image === image) return true;
    // Where the tag has moved on to a newer build the list shows an id; the container still knows what it was made from.
    if (!/^(?:sha256:)?[0-9a-f]{12,64}$/.test(info.Image)) return false;
    const inspected = await found(this.#docker.getContainer(info.Id).inspect());
    return inspected?.Config.Image === image;
  }

  #instance(info: ContainerInfo): Found[] {
    const { cluster, network, replicaPort } = this.#source;
    const name = info.Labels[LABEL.name] ?? '';
    const order = Number(info.Labels[LABEL.order]);
    const join = info.Labels[LABEL.join] ?? '';
    const weight = weightOf(info.Labels[LABEL.weight]);
    const container = containerNames(cluster, name).find((own) => info.Names.includes(`/${own}`));
    const mark = container === undefined ? undefined : markOf(cluster, name, container);
    if (container === undefined || mark === undefined || name === '') return [];
    if (!Number.isSafeInteger(order) || weight === undefined) return [];
    const state = info.State === 'running' ? 'running' : info.State === 'paused' ? 'paused' : 'ended';
    const published = info.Ports.find((port) => port.PrivatePort === replicaPort)?.PublicPort;
    const ip = info.NetworkSettings.Networks[network]?.IPAddress;
    const address = this.#reach(ip, published);
    // The list does not say when it was started, but when it was made, which is right before, and in seconds.
    const startedAtMs = info.Created * 1000;
    const instance: Instance = {
      name,
      order,
      ...(weight === 1 ? {} : { weight }),
      join,
      ...marked(mark),
      id: info.Id,
      state,
      address,
      startedAtMs,
    };
    return [{ container, instance }];
  }

  #address(info: ContainerInspectInfo): Address | undefined {
    const { network, replicaPort } = this.#source;
    const published = info.NetworkSettings.Ports[`${replicaPort}/tcp`]?.[0]?.HostPort;
    return this.#reach(
      info.NetworkSettings.Networks[network]?.IPAddress,
      published === undefined ? undefined : Number(published),
    );
  }

  #reach(ip: string | undefined, published: number | undefined): Address | undefined {
    if (this.#vantage.from === 'published')
      return published === undefined ? undefined : { host: '127.0.0.1', port: published };
    return ip === undefined || ip === '' ? undefined : { host: ip, port: this.#source.replicaPort };
  }

  async #exists(container: string): Promise<boolean> {
    return (await found(this.#docker.getContainer(container).inspect())) !== undefined;
  }

  async #remove(id: string): Promise<void> {
    await unlessGone(this.#docker.getContainer(id).remove({ force: true, v: true }));
  }

  async #logEnd(instance: Instance): Promise<void> {
    try {
      const container = this.#docker.getContainer(instance.id);
      const { State } = await call(container.inspect());
      const raw = await call(container.logs({ stdout: true, stderr: true, tail: OUTPUT_KEPT_LINES }));
      const output = plainText(raw).slice(-OUTPUT_KEPT_CHARS);
      this.#log.warn(
        { replica: instance.name, status: State.ExitCode, oomKilled: State.OOMKilled, output },
        'replica container ended',
      );
    } catch {
      // Only for the log: that it is gone by now changes nothing.
    }
  }
}

/** Told apart for dockerode, which otherwise says the whole template again in the query, where the engine reads a name. */
function createCall(template: ContainerCreateOptions): ContainerCreateOptions {
  const parts: ContainerCreateOptions & { readonly _query: object; readonly _body: object } = {
    _query: { name: template.name },
    _body: template,
  };
  return parts;
}

/** The text of a log without the 8-byte frame headers with which Docker tells stdout from stderr. */
function plainText(framed: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= framed.length;) {
    const size = framed.readUInt32BE(at + 4);
    text += framed.toString('utf8', at + 8, at + 8 + size);
    at += 8 + size;
  }
  return text.trim();
}
