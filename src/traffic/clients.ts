/** Connections of clients of the port for traffic, by what they are there for just now. */
export interface ClientCounts {
  /** A request is under way, or its head is coming in. */
  readonly active: number;
  /** Waiting for the next request. */
  readonly idle: number;
  /** Carrying another protocol, after an Upgrade. */
  readonly tunnel: number;
  /** Ending: what was sent last is being taken. */
  readonly closing: number;
}

export const NO_CLIENTS: ClientCounts = Object.freeze({ active: 0, idle: 0, tunnel: 0, closing: 0 });

export function sumOfClients(all: Iterable<ClientCounts>): ClientCounts {
  const sum = { ...NO_CLIENTS };
  for (const one of all) {
    sum.active += one.active;
    sum.idle += one.idle;
    sum.tunnel += one.tunnel;
    sum.closing += one.closing;
  }
  return sum;
}
