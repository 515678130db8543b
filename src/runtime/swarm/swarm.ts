import { setTimeout as sleep } from 'node:timers/promises';
import Docker, { type Service, type ServiceSpec } from 'dockerode';
import type { Log } from '../../log.ts';
import { ensureImage, OWN_IMAGE, SAMPLE_COMMAND } from '../docker/image.ts';
import { ReplicaNetwork } from '../docker/network.ts';
import { LABEL, type ReplicaOptions } from '../docker/template.ts';
import { ownContainer } from '../docker/vantage.ts';
import { networkNaming, type Naming } from '../naming.ts';
import type { Commons, Roster, Seat } from '../roster.ts';
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
import { call, found, made, untilWon, updated, updateOf } from './engine.ts';
import { watchSwarm } from './events.ts';
import { RosterStore } from './store.ts';
import { addressOn, currentTask, forcedOf, hasFailed, publishedPort, runs, type Task } from './tasks.ts';
import {
  IMAGE_LABEL,
  OWN_IMAGE_NAME,
  pinnedImage,
  serviceName,
  serviceTemplate,
  type ServiceSource,
} from './template.ts';
import {
  baseUrl,
  findOwnTask,
  findSwarmVantage,
  nodeAddress,
  ownAddressTowards,
  type OwnTask,
  type SwarmNode,
  type SwarmVantage,
} from './vantage.ts';

/** How often is looked whether a task has come or gone: soon at first, and then less and less. */
const LOOK_EVERY_MS = 100;
const LOOK_EVERY_MAX_MS = 500;
/** A replica that fails that often will not start. */
const FAILURES_MAX = 3;
/** Beyond its grace, for a task to be gone when its service is. */
const GONE_WITHIN_MS = 15_000;
/** What takes longer may be on a node that is down, which nobody hears of any more. */
const GONE_SOON_MS = 3000;
/** A network is in use for a while after the last task on it is gone. */
const NETWORK_GONE_WITHIN_MS = 15_000;

/** An overlay network that the Swarm itself makes but once; attachable, so that a look from within is possible. */
const OVERLAY = { options: { Driver: 'overlay', Attachable: true }, call };

export interface SwarmRuntimeOptions extends ReplicaOptions {
  readonly log: Log;
  /** Our control port, which tells Ringmasters on one node apart. */
  readonly port: number;
  /** For tests; otherwise found out. */
  readonly vantage?: SwarmVantage;
}

/** Who and where we are in the Swarm. */
interface Self {
  readonly key: string;
  readonly node: string;
  /** Where other nodes reach us. */
  readonly host: string;
  /** The service that we are a task of. */
  readonly service: string | undefined;
}

/** A service of ours, and what its labels say. */
interface Found {
  readonly service: Service;
  readonly name: string;
  readonly order: number;
  readonly join: string;
  /** When it was started; the roster knows of changes since. */
  readonly weight: number;
}

/** What a start has asked for: a task of that service, made after that many replacements. */
interface Asked {
  readonly service: string;
  readonly forced: number;
}

/**
 * Replicas as services of a Swarm, one task each, which several Ringmasters share. What a service's labels can't say in
 * one step for several, the roster does; a service without a seat there is nobody's.
 */
export class SwarmRuntime implements Runtime {
  readonly kind = 'swarm';
  readonly durable = true;
  readonly owns = true;
  readonly naming: Naming;
  readonly commons: Commons;
  readonly #docker: Docker;
  readonly #source: ServiceSource;
  readonly #self: Self;
  readonly #log: Log;
  readonly #roster: RosterStore;
  /** Undefined where it is the one that we are on ourselves. */
  readonly #network: ReplicaNetwork | undefined;
  /** How long the last list took. */
  #listMs = 0;
  /** How many managers the Swarm had then. */
  #managers = 1;

  private constructor(docker: Docker, source: ServiceSource, self: Self, log: Log) {
    this.naming = networkNaming(source.replicaPort);
    this.#docker = docker;
    this.#source = source;
    this.#self = self;
    this.#log = log;
    this.#roster = new RosterStore(docker, source, () => this.#remembered());
    if (source.publish) this.#network = new ReplicaNetwork(docker, source.network, source.cluster, OVERLAY);
    const voters = (): number => this.#managers;
    this.commons = {
      self: self.key,
      get voters() {
        return voters();
      },
      url: (port) => baseUrl(self.host, port),
      read: () => this.#roster.read(),
      change: (change) => this.#roster.change(change),
      replace: (name, instanceId) => this.#replace(name, instanceId),
      dismissed: () => this.#dismissed(),
    };
  }

  /** Throws EngineGone where no engine answers, StartFailed where it is no manager, or image or network can't be had. */
  static async open(options: SwarmRuntimeOptions): Promise<SwarmRuntime> {
    const { log, cluster, replicaPort, port } = options;
    const docker = new Docker();
    const info: { Swarm?: { ControlAvailable?: boolean; NodeID?: string } } = await call(docker.info());
    const engineNode = info.Swarm?.NodeID ?? '';
    if (info.Swarm?.ControlAvailable !== true || engineNode === '')
      throw new StartFailed(
        'this engine is not a manager of a Swarm: run docker swarm init, or start Ringmaster on a manager',
      );
    const own = await findOwnTask(docker);
    const container = own === undefined ? await ownContainer(docker) : undefined;
    const vantage = options.vantage ?? (await findSwarmVantage(docker, own, container));
    const source: ServiceSource = {
      ...(await imageFor(docker, options, own)),
      cluster,
      replicaPort,
      network: vantage.from === 'beside' ? vantage.network : cluster,
      publish: vantage.from === 'published',
      stack: own?.stack,
    };
    const node = own?.node ?? engineNode;
    const inspected = await call<SwarmNode>(docker.getNode(node).inspect());
    const host =
      vantage.from === 'beside'
        ? vantage.address
        : await ownAddressTowards(nodeAddress(inspected, node) ?? '127.0.0.1');
    // In containers of one host each has the same port.
    const key = own?.place ?? container?.Id ?? `${node}:${port}`;
    const self: Self = { key, node, host, service: own?.service };
    const runtime = new SwarmRuntime(docker, source, self, log);
    await runtime.#network?.ensure();
    // A config of that name that is not ours is told of now, and not at the first change.
    await runtime.#roster.read();
    log.debug({ image: source.image, pinned: source.pinned, vantage, self }, 'swarm runtime');
    return runtime;
  }

  async list(): Promise<Instance[]> {
    const began = performance.now();
    const [services, tasks, nodes] = await Promise.all([
      this.#services(),
      this.#tasks({ 'desired-state': ['running'] }),
      call<SwarmNode[]>(this.#docker.listNodes()),
    ]);
    // Last of all: a seat is given away only when its service is gone, so that a service without one has none any more.
    const { seats } = await this.#roster.read();
    this.#listMs = performance.now() - began;
    this.#managers = nodes.filter(
      ({ ManagerStatus }) => ManagerStatus !== undefined && ManagerStatus !== null,
    ).length;
    return services.map(({ service, name, order, join, weight }) => {
      const task = currentTask(tasks, service.ID);
      const seat = seats.find((one) => one.name === name);
      return {
        name,
        order,
        weight: seat === undefined ? weight : seat.weight,
        join,
        ...marked(seat?.mark ?? 'joining'),
        id: task?.ID ?? service.ID,
        state: task !== undefined && runs(task) ? 'running' : 'ended',
        address: task === undefined ? undefined : this.#address(task, nodes),
        startedAtMs: task === undefined ? undefined : Date.parse(task.CreatedAt),
      };
    });
  }

  async start(spec: InstanceSpec, signal: AbortSignal): Promise<Instance> {
    await this.#network?.ensure();
    const seated = await this.#seat(spec);
    try {
      if (signal.aborted) throw new StartFailed('was given up');
      return await this.#started(spec, await untilWon(() => this.#ask(spec)), signal);
    } catch (error) {
      if (!spec.committed) await this.#giveBack(spec).catch(() => {});
      // Somebody else's service is no member of ours; of one that is, the seat is what makes it remembered.
      else if (seated && error instanceof NameInUse) await this.#unseat(spec.name, spec.join).catch(() => {});
      throw error;
    }
  }

  async mark(names: readonly string[], as: Mark): Promise<string[]> {
    const wanted = new Set(names);
    const roster = await this.#roster.change((now) => {
      // Of a member nobody carries anything out.
      const anew = (seat: Seat): Seat => ({ ...seat, mark: as, by: as === 'member' ? '' : seat.by });
      const differs = (seat: Seat): boolean => wanted.has(seat.name) && seat.mark !== as;
      if (!now.seats.some(differs)) return now;
      return { ...now, seats: now.seats.map((seat) => (differs(seat) ? anew(seat) : seat)) };
    });
    const seated = new Set(roster.seats.map((seat) => seat.name));
    return names.filter((name) => !seated.has(name));
  }

  async stop(name: string, graceMs: number): Promise<void> {
    // Of two who do this the second must not take the seat of one that has joined since, under the same name.
    const join = (await this.#roster.read()).seats.find((seat) => seat.name === name)?.join;
    const service = await this.#inspect(name);
    const ours = service === undefined ? undefined : this.#ours(service);
    if (ours?.name === name) await found(this.#docker.getService(ours.service.ID).remove());
    await this.#gone(name, ours?.service.ID, graceMs);
    await this.#unseat(name, join);
  }

  watch(wake: () => void): () => void {
    return watchSwarm(this.#docker, this.#source.cluster, () => this.#listMs, wake);
  }

  async close(keep: boolean): Promise<void> {
    // Other Ringmasters, and what they serve, go on needing both.
    if (keep || !(await this.#roster.removeUnused())) return;
    for (const until = performance.now() + NETWORK_GONE_WITHIN_MS; ; await sleep(LOOK_EVERY_MAX_MS))
      try {
        return await this.#network?.remove();
      } catch (error) {
        if (performance.now() >= until) return this.#log.debug({ error }, 'the network stays');
      }
  }

  /** Has a seat for it that says what it is; gives whether there was none. */
  async #seat({ name, order, join, weight, committed }: InstanceSpec): Promise<boolean> {
    const wanted: Seat = { name, order, join, weight, mark: committed ? 'member' : 'joining', by: '' };
    let seated = false;
    await this.#roster.change((roster) => {
      const there = roster.seats.find((one) => one.name === name);
      seated = there === undefined;
      if (there?.order === order && there.join === join && there.mark === wanted.mark) return roster;
      // It may have been given another since the start was asked for.
      const seat = there?.join === join ? { ...wanted, weight: there.weight } : wanted;
      return { ...roster, seats: [...roster.seats.filter((one) => one !== there), seat] };
    });
    return seated;
  }

  /** Removes what was to join; not another that has the name by now, where this one was given up by others. */
  async #giveBack({ name, join }: InstanceSpec): Promise<void> {
    const { seats } = await this.#roster.read();
    if (seats.some((seat) => seat.name === name && seat.join === join)) await this.stop(name, 0);
  }

  async #unseat(name: string, join: string | undefined): Promise<void> {
    await this.#roster.change((roster): Roster => {
      const seats = roster.seats.filter((one) => one.name !== name || one.join !== join);
      return seats.length === roster.seats.length ? roster : { ...roster, seats };
    });
  }

  /** Makes the service, or has the one that there is make a new task; undefined where somebody else was faster. */
  async #ask(spec: InstanceSpec): Promise<Asked | undefined> {
    const before = await this.#inspect(spec.name);
    if (before === undefined) {
      const created = await made(this.#create(serviceTemplate(this.#source, spec)));
      if (created !== undefined) return { service: created.id, forced: 0 };
      // Where another Ringmaster starts the same, what it has made will do.
      const other = await this.#namesake(spec.name);
      return other === undefined ? undefined : this.#asked(spec.name, other);
    }
    const { service, forced } = this.#asked(spec.name, before);
    const template = serviceTemplate(this.#source, spec, forced + 1);
    return (await this.#update(before, template)) ? { service, forced: forced + 1 } : undefined;
  }

  /** Throws NameInUse where the service is not ours. */
  #asked(name: string, service: Service): Asked {
    if (this.#ours(service)?.name !== name)
      throw new NameInUse(`service ${serviceName(this.#source.cluster, name)} is not ours`);
    return { service: service.ID, forced: forcedOf(service.Spec?.TaskTemplate) };
  }

  /** Waits until a task of those asked for runs. */
  async #started(spec: InstanceSpec, asked: Asked, signal: AbortSignal): Promise<Instance> {
    // The Swarm forgets all but the last few.
    const failed = new Set<string>();
    for (let everyMs = LOOK_EVERY_MS; ; everyMs = Math.min(everyMs * 1.5, LOOK_EVERY_MAX_MS)) {
      const [all, nodes] = await Promise.all([this.#tasks({}, spec.name), this.#nodes()]);
      const tasks = all.filter(
        (task) => task.ServiceID === asked.service && forcedOf(task.Spec) >= asked.forced,
      );
      const task = tasks.find(runs);
      const why = tasks.map((one) => one.Status?.Err ?? '').findLast((error) => error !== '');
      if (signal.aborted) throw new StartFailed(why === undefined ? 'was given up' : `was given up: ${why}`);
      if (task !== undefined)
        return {
          ...spec,
          id: task.ID,
          state: 'running',
          address: this.#address(task, nodes),
          startedAtMs: Date.parse(task.CreatedAt),
        };
      for (const one of tasks.filter(hasFailed)) failed.add(one.ID);
      if (failed.size >= FAILURES_MAX) throw new StartFailed(why ?? `ended ${FAILURES_MAX} times at once`);
      if (tasks.length === 0 && (await found(this.#docker.getService(asked.service).inspect())) === undefined)
        throw new StartFailed('was removed by somebody else');
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Waits until no task of the service that was removed is left, wherever somebody could tell. */
  async #gone(name: string, service: string | undefined, graceMs: number): Promise<void> {
    const began = performance.now();
    for (let everyMs = LOOK_EVERY_MS; ; everyMs = Math.min(everyMs * 1.5, LOOK_EVERY_MAX_MS)) {
      const tasks = await this.#tasks({}, name);
      let left = tasks.filter((task) => task.ServiceID === service || task.DesiredState === 'remove');
      const tookMs = performance.now() - began;
      if (left.length > 0 && tookMs > GONE_SOON_MS) {
        const nodes = await call<SwarmNode[]>(this.#docker.listNodes());
        const up = new Set(nodes.flatMap((node) => (node.Status?.State === 'down' ? [] : node.ID)));
        left = left.filter((task) => task.NodeID !== undefined && up.has(task.NodeID));
      }
      if (left.length === 0) return;
      if (tookMs > graceMs + GONE_WITHIN_MS)
        return this.#log.warn({ replica: name }, 'the Swarm has not ended the replica yet, but will');
      await sleep(everyMs);
    }
  }

  async #replace(name: string, instanceId: string): Promise<void> {
    await untilWon(async () => {
      const service = await this.#inspect(name);
      if (service?.Spec === undefined || this.#ours(service)?.name !== name) return true;
      const task = currentTask(await this.#tasks({ 'desired-state': ['running'] }, name), service.ID);
      const template = service.Spec.TaskTemplate;
      const forced = forcedOf(template);
      // A task that was made before the last replacement was asked for is on its way out.
      if (task?.ID !== instanceId || forcedOf(task.Spec) !== forced) return true;
      const next = { ...service.Spec, TaskTemplate: { ...template, ForceUpdate: forced + 1 } };
      // The version also changes when the Swarm says how far it is: so it is looked at again.
      return (await this.#update(service, next)) ? true : undefined;
    });
  }

  async #dismissed(): ReturnType<Commons['dismissed']> {
    const { service } = this.#self;
    if (service === undefined) return 'not its part';
    return (await found(this.#docker.getService(service).inspect())) === undefined ? 'yes' : 'no';
  }

  /** Seats as the services tell them. */
  async #remembered(): Promise<Seat[]> {
    const services = await this.#services();
    return services.map(({ name, order, join, weight }): Seat => ({
      name,
      order,
      join,
      weight,
      mark: 'member',
      by: '',
    }));
  }

  async #services(): Promise<Found[]> {
    const filters = JSON.stringify({ label: [`${LABEL.cluster}=${this.#source.cluster}`] });
    const services = await call(this.#docker.listServices({ filters }));
    return services.flatMap((service) => this.#ours(service) ?? []);
  }

  /** Services with our label value, our name and our image: nothing else is ever adopted or removed. */
  #ours(service: Service): Found | undefined {
    const { cluster, image } = this.#source;
    const labels = service.Spec?.Labels ?? {};
    const name = labels[LABEL.name] ?? '';
    const order = Number(labels[LABEL.order]);
    if (labels[LABEL.cluster] !== cluster || labels[IMAGE_LABEL] !== image) return undefined;
    if (name === '' || service.Spec?.Name !== serviceName(cluster, name)) return undefined;
    const weight = weightOf(labels[LABEL.weight]);
    if (!Number.isSafeInteger(order) || weight === undefined) return undefined;
    return { service, name, order, join: labels[LABEL.join] ?? '', weight };
  }

  /** The service that has the replica's name on the Swarm, ours or not. */
  #inspect(name: string): Promise<Service | undefined> {
    const named: Promise<Service> = this.#docker
      .getService(serviceName(this.#source.cluster, name))
      .inspect();
    return found(named);
  }

  /** The service for which the replica's can't be made: the Swarm tells case apart where it looks up, not where it makes. */
  async #namesake(name: string): Promise<Service | undefined> {
    const taken = serviceName(this.#source.cluster, name).toLowerCase();
    const services = await call(this.#docker.listServices());
    return services.find(({ Spec }) => Spec?.Name?.toLowerCase() === taken);
  }

  /** What comes alone dockerode also sends as if it were credentials for a registry, and the Swarm keeps it as such. */
  #create(spec: ServiceSpec): Promise<Docker.Service> {
    const none = undefined as unknown as Docker.AuthConfig;
    return this.#docker.createService(none, spec) as unknown as Promise<Docker.Service>;
  }

  #update(service: Service, spec: ServiceSpec): Promise<boolean> {
    return updated(this.#docker.getService(service.ID).update(updateOf(service.Version?.Index, spec)));
  }

  #tasks(filters: Record<string, string[]>, name?: string): Promise<Task[]> {
    const named = name === undefined ? [] : [`${LABEL.name}=${name}`];
    const label = [`${LABEL.cluster}=${this.#source.cluster}`, ...named];
    return call(this.#docker.listTasks({ filters: JSON.stringify({ ...filters, label }) }));
  }

  /** Only where replicas are reached by their nodes. */
  async #nodes(): Promise<SwarmNode[]> {
    return this.#source.publish ? call<SwarmNode[]>(this.#docker.listNodes()) : [];
  }

  #address(task: Task, nodes: readonly SwarmNode[]): Address | undefined {
    const { network, replicaPort, publish } = this.#source;
    if (!publish) return addressOn(task, network, replicaPort);
    const node = nodes.find((one) => one.ID === task.NodeID);
    const [host, port] = [nodeAddress(node, this.#self.node), publishedPort(task, replicaPort)];
    return host === undefined || port === undefined ? undefined : { host, port };
  }
}

/** What replicas run. Where we are a task ourselves, our own image is one that the Swarm's nodes can have. */
async function imageFor(
  docker: Docker,
  { image, command, log }: SwarmRuntimeOptions,
  own: OwnTask | undefined,
): Promise<Pick<ServiceSource, 'image' | 'pinned' | 'command'>> {
  const reference = image ?? own?.image ?? OWN_IMAGE;
  if (image !== undefined || own === undefined) await ensureImage(docker, reference, log);
  const inspected = await call(docker.getImage(reference).inspect());
  return {
    // Our own may be another build with each update of Ringmaster: replicas that run the one before are ours still.
    image: image ?? OWN_IMAGE_NAME,
    pinned: pinnedImage(reference, inspected),
    command: command ?? (image === undefined ? SAMPLE_COMMAND : undefined),
  };
}
