import type { Placement } from '../ring/placement.ts';
import type { ReplicaView } from './crew.ts';

/** The map in force and who it is made of, as one Ringmaster sees it; also what it tells the others. */
export interface Standing {
  /** By which owners are told. */
  readonly map: Placement;
  /** See `digestOf`. */
  readonly digest: string;
  /** How many changes have led to it, where several share the replicas; the same change has the same number everywhere. */
  readonly revision: number;
  /** Those on the map, by name. */
  readonly replicas: readonly Pick<ReplicaView, 'name' | 'state' | 'weight' | 'effectiveWeight'>[];
  /** Those that are to join and have answered here already, by name. */
  readonly reached: readonly string[];
  /** Those that are off the map for good, and finish what they have in flight here. */
  readonly leaving: readonly { readonly name: string; readonly inFlight: number }[];
  /** The others that share the replicas. */
  readonly peers: readonly PeerStanding[];
  /** How long one of them has had another map, in ms; 0 where all that answer have the same. */
  readonly disagreementMs: number;
}

export interface PeerStanding {
  readonly url: string;
  /** Of its own map, as it said last; undefined: it does not answer. */
  readonly heard: Pick<Standing, 'digest' | 'revision'> | undefined;
}
