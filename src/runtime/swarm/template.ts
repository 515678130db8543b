import { createHash } from 'node:crypto';
import type Docker from 'dockerode';
import type { ContainerSpec, ServiceSpec } from 'dockerode';
import {
  CPU_MAX_NANO,
  LABEL,
  LOG_FILE_MAX,
  LOG_FILES_MAX,
  MEMORY_MAX_BYTES,
  PIDS_MAX,
  TMP_MAX_BYTES,
  USER,
  weightLabel,
} from '../docker/template.ts';
import type { InstanceSpec } from '../runtime.ts';

/** The image as configured: the service itself says a digest, which the same tag has not for ever. */
export const IMAGE_LABEL = 'ringmaster.image';
/** What that label says where nothing is configured: no image reference has a space. */
export const OWN_IMAGE_NAME = 'its own';
/** By which `docker stack rm` knows what goes with a stack. */
export const STACK_LABEL = 'com.docker.stack.namespace';

const NANOS_PER_MS = 1_000_000;
/** Nobody sends requests to what is removed any more. */
const STOP_GRACE_MS = 2000;
/** Before the Swarm starts anew what has ended: what ends at once is not to keep a node busy. */
const RESTART_DELAY_MS = 1000;
const SERVICE_NAME_MAX = 63;
/** The Swarm's own rule. */
const SERVICE_NAME = /^[a-zA-Z0-9]+(?:[-_]*[A-Za-z0-9]+)*$/;
/** So many hex digits that no two names meet. */
const NAME_DIGITS = 20;

/** Everything a replica's service is made of that configuration and our own place decide. */
export interface ServiceSource {
  readonly cluster: string;
  /** As configured. */
  readonly image: string;
  /** The same image, said so that a node which has it asks no registry. */
  readonly pinned: string;
  /** Undefined: what the image starts by itself. */
  readonly command: readonly string[] | undefined;
  readonly replicaPort: number;
  readonly network: string;
  /** Publishes the replica's port on its node, for where its own address can't be reached. */
  readonly publish: boolean;
  /** The stack that Ringmaster is itself a part of. */
  readonly stack: string | undefined;
}

/** The replica's service. Where the Swarm does not take its name as it is: one that no other replica's can be. */
export function serviceName(cluster: string, name: string): string {
  const plain = `${cluster}-${name}`;
  if (plain.length <= SERVICE_NAME_MAX && SERVICE_NAME.test(plain)) return plain;
  // A replica's name begins with no hyphen. The Swarm does not tell case apart, and neither do names of replicas.
  const digest = createHash('sha256').update(name.toLowerCase()).digest('hex');
  return `${cluster}--${digest.slice(0, NAME_DIGITS)}`;
}

/** Labels of all that is ours. */
export function ownLabels({ cluster, stack }: Pick<ServiceSource, 'cluster' | 'stack'>): {
  [label: string]: string;
} {
  return { [LABEL.cluster]: cluster, ...(stack === undefined ? {} : { [STACK_LABEL]: stack }) };
}

/**
 * The one way a replica's service is made, with the same bounds as a container of the Docker runtime. What the Swarm
 * can't say is left out: memory without swap, and a /tmp from which nothing is run.
 */
export function serviceTemplate(source: ServiceSource, spec: InstanceSpec, forced = 0): ServiceSpec {
  const { cluster, image, pinned, command, replicaPort, network, publish } = source;
  const container: ContainerSpec = {
    Image: pinned,
    // Who lists containers finds the replica's, on the node that it is on.
    Labels: { [LABEL.cluster]: cluster, [LABEL.name]: spec.name },
    ...(command === undefined ? {} : { Args: [...command] }),
    Hostname: spec.name,
    User: USER,
    Env: [`SERVER_ID=${spec.name}`, `PORT=${replicaPort}`],
    ReadOnly: true,
    CapabilityDrop: ['ALL'],
    // Engines before 25 do not read this, and go on without it. Nobody is root in there, and no capability is left.
    Privileges: { NoNewPrivileges: true } as NonNullable<ContainerSpec['Privileges']>,
    Init: true,
    Mounts: [
      {
        Type: 'tmpfs',
        Target: '/tmp',
        TmpfsOptions: { SizeBytes: TMP_MAX_BYTES, Mode: 0o1777 },
      } as Docker.MountSettings,
    ],
    // Heartbeats are Ringmaster's own; the image's check would only start a process every few seconds.
    HealthCheck: { Test: ['NONE'] },
    StopGracePeriod: STOP_GRACE_MS * NANOS_PER_MS,
  };
  return {
    Name: serviceName(cluster, spec.name),
    Labels: {
      ...ownLabels(source),
      [LABEL.name]: spec.name,
      [LABEL.order]: String(spec.order),
      [LABEL.join]: spec.join,
      ...weightLabel(spec),
      [IMAGE_LABEL]: image,
    },
    Mode: { Replicated: { Replicas: 1 } },
    TaskTemplate: {
      ContainerSpec: container,
      Resources: { Limits: { NanoCPUs: CPU_MAX_NANO, MemoryBytes: MEMORY_MAX_BYTES, Pids: PIDS_MAX } },
      LogDriver: { Name: 'json-file', Options: { 'max-size': LOG_FILE_MAX, 'max-file': LOG_FILES_MAX } },
      // The Swarm is who starts it again, on whatever node there is.
      RestartPolicy: { Condition: 'any', Delay: RESTART_DELAY_MS * NANOS_PER_MS, MaxAttempts: 0 },
      Networks: [{ Target: network, Aliases: [spec.name] }],
      ForceUpdate: forced,
    },
    // What fails right after a replacement is replaced again like any other, and not left for somebody to look at.
    UpdateConfig: { Parallelism: 1, Order: 'stop-first', FailureAction: 'continue' },
    EndpointSpec: {
      // We are the balancer. A virtual address needs IPVS, which not every kernel has.
      Mode: 'dnsrr',
      ...(publish ? { Ports: [{ Protocol: 'tcp', TargetPort: replicaPort, PublishMode: 'host' }] } : {}),
    },
  };
}

/** What an engine tells of an image. */
export interface ImageFacts {
  readonly Id: string;
  readonly RepoDigests?: readonly string[] | null | undefined;
}

/**
 * The image as a node finds it without asking a registry first, which takes as long as the registry takes to fail: by
 * the digest that its registry knows it by, or, where it comes from none, by its id.
 */
export function pinnedImage(reference: string, { Id, RepoDigests }: ImageFacts): string {
  const repository = repositoryOf(reference);
  return RepoDigests?.find((one) => repositoryOf(one) === repository) ?? Id;
}

/** Without tag and digest, and as engines shorten it. */
function repositoryOf(reference: string): string {
  return reference
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '')
    .replace(/^(?:index\.)?docker\.io\//, '')
    .replace(/^library\//, '');
}
