import type { ContainerCreateOptions } from 'dockerode';
import { WEIGHT_MAX } from '../../config.ts';
import type { InstanceSpec, Mark } from '../runtime.ts';
import { OWN_IMAGE, SAMPLE_COMMAND } from './image.ts';
import type { Vantage } from './vantage.ts';

export const LABEL = {
  cluster: 'ringmaster.cluster',
  name: 'ringmaster.name',
  order: 'ringmaster.order',
  join: 'ringmaster.join',
  weight: 'ringmaster.weight',
} as const;

/** Docker gives this user to no one, and the base image calls it bun; a replica never runs as root. */
export const USER = '1000:1000';
export const PIDS_MAX = 256;
export const MEMORY_MAX_BYTES = 512 * 1024 * 1024;
export const CPU_MAX_NANO = 1_000_000_000;
export const TMP_MAX_BYTES = 16 * 1024 * 1024;
export const LOG_FILE_MAX = '10m';
export const LOG_FILES_MAX = '3';

/**
 * The limit of processes that notes a weight. Labels of a running container can't be changed; of what can, this is told by
 * the engine, and it does not matter whether it is some higher. A weight that was changed while the container runs is noted
 * as what is above PIDS_MAX; where nothing is, the label counts.
 */
export function pidsOfWeight(weight: number): number {
  return PIDS_MAX + weight;
}

/** The weight that a limit of processes notes; undefined: none. */
export function weightOfPids(pids: number | null | undefined): number | undefined {
  const weight = (pids ?? 0) - PIDS_MAX;
  return Number.isSafeInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX ? weight : undefined;
}

/** What configuration says of replicas. */
export interface ReplicaOptions {
  readonly cluster: string;
  /** Undefined: the project's own. */
  readonly image: string | undefined;
  /** Undefined: the sample server in the project's own image, in any other what that starts by itself. */
  readonly command: readonly string[] | undefined;
  readonly replicaPort: number;
}

/** Everything a replica's container is made of that configuration decides. */
export interface TemplateSource {
  readonly cluster: string;
  readonly image: string;
  /** Undefined: what the image starts by itself. */
  readonly command: readonly string[] | undefined;
  readonly replicaPort: number;
  readonly network: string;
  /** Only networks of a user's own have name service. */
  readonly alias: boolean;
  /** Publishes the replica's port on the engine's loopback, for where its own address can't be reached. */
  readonly publish: boolean;
}

/** One function for Ringmaster and for its gate, which compares: what they read from one environment must agree. */
export function templateSource(options: ReplicaOptions, vantage: Vantage): TemplateSource {
  const { cluster, image, command, replicaPort } = options;
  const beside = vantage.from === 'beside';
  return {
    cluster,
    image: image ?? OWN_IMAGE,
    command: command ?? (image === undefined ? SAMPLE_COMMAND : undefined),
    replicaPort,
    network: beside ? vantage.network : cluster,
    alias: beside ? vantage.alias : true,
    publish: vantage.from === 'published',
  };
}

/** A member's container. */
export function containerName(cluster: string, name: string): string {
  return `${cluster}-${name}`;
}

/** A container whose add is under way; a cluster has no dot in its name, so this meets no container of a member. */
export function joiningName(cluster: string, name: string): string {
  return `${cluster}.joining-${name}`;
}

/** A member's next container as long as the one that it replaces has the member's name. */
export function healingName(cluster: string, name: string): string {
  return `${cluster}.healing-${name}`;
}

const MARKS: readonly Mark[] = ['member', 'joining', 'leaving first', 'leaving'];

/** What the container is called that has the mark: names outlive us, and the engine changes one in one step. */
export function markedName(cluster: string, name: string, mark: Mark): string {
  if (mark === 'member') return containerName(cluster, name);
  if (mark === 'joining') return joiningName(cluster, name);
  return `${cluster}.${mark === 'leaving first' ? 'leaving1' : 'leaving'}-${name}`;
}

/** The mark that a container of that name has; undefined where it has none of the replica's names. */
export function markOf(cluster: string, name: string, container: string): Mark | undefined {
  if (container === healingName(cluster, name)) return 'member';
  return MARKS.find((mark) => container === markedName(cluster, name, mark));
}

/** Every name that a container of the replica can be made with. */
export function createdNames(cluster: string, name: string): string[] {
  return [containerName(cluster, name), healingName(cluster, name), joiningName(cluster, name)];
}

/** Every name that a container of the replica can have. */
export function containerNames(cluster: string, name: string): string[] {
  return [healingName(cluster, name), ...MARKS.map((mark) => markedName(cluster, name, mark))];
}

/**
 * What keeps the weight at the engine. Weight 1 has no label, so that what has no other weight is made as it was before there
 * were weights, and one who knows of none takes it for its own.
 */
export function weightLabel({ weight = 1 }: Pick<InstanceSpec, 'weight'>): { [label: string]: string } {
  return weight === 1 ? {} : { [LABEL.weight]: String(weight) };
}

/**
 * The one way a replica's container is made. From the API comes a checked name and nothing else; the rest is
 * configuration. No capabilities, no new privileges, a read-only root, no socket, bounded in everything it can use.
 */
export function createTemplate(
  source: TemplateSource,
  spec: InstanceSpec,
  container = (spec.committed ? containerName : joiningName)(source.cluster, spec.name),
): ContainerCreateOptions {
  const { cluster, image, command, replicaPort, network, alias, publish } = source;
  const port = `${replicaPort}/tcp`;
  return {
    name: container,
    Image: image,
    ...(command === undefined ? {} : { Cmd: [...command] }),
    Hostname: spec.name,
    User: USER,
    Env: [`SERVER_ID=${spec.name}`, `PORT=${replicaPort}`],
    Labels: {
      [LABEL.cluster]: cluster,
      [LABEL.name]: spec.name,
      [LABEL.order]: String(spec.order),
      [LABEL.join]: spec.join,
      ...weightLabel(spec),
    },
    // Heartbeats are Ringmaster's own; the image's check would only start a process every few seconds.
    Healthcheck: { Test: ['NONE'] },
    ExposedPorts: { [port]: {} },
    HostConfig: {
      NetworkMode: network,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': `rw,noexec,nosuid,nodev,size=${TMP_MAX_BYTES}` },
      PidsLimit: PIDS_MAX,
      Memory: MEMORY_MAX_BYTES,
      MemorySwap: MEMORY_MAX_BYTES,
      NanoCpus: CPU_MAX_NANO,
      Init: true,
      Privileged: false,
      // Ringmaster is who starts it again, under its name and on the ring; two masters would fight.
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': LOG_FILE_MAX, 'max-file': LOG_FILES_MAX } },
      ...(publish ? { PortBindings: { [port]: [{ HostIp: '127.0.0.1', HostPort: '' }] } } : {}),
    },
    ...(alias ? { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [spec.name] } } } } : {}),
  };
}
