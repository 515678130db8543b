import type { ContainerTaskSpec, TaskSpec } from 'dockerode';
import type { Address } from '../runtime.ts';

/** What the Swarm tells of a task: one run of a service's replica, on one node. */
export interface Task {
  readonly ID: string;
  readonly ServiceID: string;
  readonly NodeID?: string;
  readonly Slot?: number;
  readonly CreatedAt: string;
  /** What is to become of it. One that waits for its turn is `ready`, one that has had it `shutdown` or `remove`. */
  readonly DesiredState: string;
  readonly Spec?: TaskSpec;
  readonly Status?: {
    readonly State?: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ContainerID?: string };
    readonly PortStatus?: {
      readonly Ports?: readonly { readonly TargetPort?: number; readonly PublishedPort?: number }[];
    };
  };
  readonly NetworksAttachments?:
    | readonly {
        readonly Network?: { readonly Spec?: { readonly Name?: string } };
        readonly Addresses?: readonly string[] | null;
      }[]
    | null;
}

/** Ends of a task that nobody asked for. */
const ENDED: ReadonlySet<string | undefined> = new Set(['failed', 'rejected', 'complete']);

/** The one that is to run: of several the newest. */
export function currentTask(tasks: readonly Task[], service: string): Task | undefined {
  return tasks
    .filter((task) => task.ServiceID === service && task.DesiredState === 'running')
    .toSorted((a, b) => b.CreatedAt.localeCompare(a.CreatedAt))[0];
}

export function runs(task: Task): boolean {
  return task.DesiredState === 'running' && task.Status?.State === 'running';
}

export function hasFailed(task: Task): boolean {
  return ENDED.has(task.Status?.State);
}

/** How often a replacement had been asked for when what has the template was made. */
export function forcedOf(template: TaskSpec | undefined): number {
  return template?.ForceUpdate ?? 0;
}

/** The port of the task's node that leads to the one of the replica. */
export function publishedPort(task: Task, replicaPort: number): number | undefined {
  return task.Status?.PortStatus?.Ports?.find((port) => port.TargetPort === replicaPort)?.PublishedPort;
}

/** The task's own address on the network. */
export function addressOn(task: Task, network: string, port: number): Address | undefined {
  const attached = attachmentsOf(task).find((one) => one.network === network);
  return attached === undefined ? undefined : { host: attached.address, port };
}

/** Its networks, by name, and its first address on each. */
export function attachmentsOf(task: Task): { readonly network: string; readonly address: string }[] {
  return (task.NetworksAttachments ?? []).flatMap(({ Network, Addresses }) => {
    const network = Network?.Spec?.Name;
    const address = Addresses?.[0]?.split('/')[0];
    return network === undefined || address === undefined || address === '' ? [] : [{ network, address }];
  });
}

/** What the task runs. */
export function imageOfTask({ Spec }: Task): string | undefined {
  return (Spec as ContainerTaskSpec | undefined)?.ContainerSpec?.Image;
}
