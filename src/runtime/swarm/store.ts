import type Docker from 'dockerode';
import type { ConfigInfo } from 'dockerode';
import { LABEL } from '../docker/template.ts';
import { EMPTY_ROSTER, type Roster, type Seat } from '../roster.ts';
import { StartFailed } from '../runtime.ts';
import { found, made, untilWon, updated, updateOf } from './engine.ts';
import { decodeRoster, encodeRoster } from './labels.ts';
import { ownLabels } from './template.ts';

/** The Swarm wants something in a config, and never changes it again. */
const DATA = Buffer.from('The labels of this config are the roster of a Ringmaster.\n').toString('base64');

interface Held {
  readonly roster: Roster;
  /** Undefined: there is nothing yet, of the roster or of replicas. */
  readonly config: ConfigInfo | undefined;
}

/** The name of the config: a cluster has no dot in its name, and a config of another kind hardly this one. */
export function rosterName(cluster: string): string {
  return `${cluster}.roster`;
}

/** The roster as one config of the Swarm: its managers agree on each version of it, and refuse a change of an older one. */
export class RosterStore {
  readonly #docker: Docker;
  readonly #name: string;
  readonly #cluster: string;
  readonly #labels: { readonly [label: string]: string };
  /** Members by what else the Swarm knows of them, for where somebody has removed the config. */
  readonly #remembered: () => Promise<Seat[]>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    docker: Docker,
    source: { readonly cluster: string; readonly stack: string | undefined },
    remembered: () => Promise<Seat[]>,
  ) {
    this.#docker = docker;
    this.#name = rosterName(source.cluster);
    this.#cluster = source.cluster;
    this.#labels = ownLabels(source);
    this.#remembered = remembered;
  }

  /** Throws EngineGone, and StartFailed where the config's name is somebody else's. */
  async read(): Promise<Roster> {
    return (await this.#held()).roster;
  }

  /** One after the other: who races only against others loses less often. Throws as `read` does, and what `change` throws. */
  change(change: (roster: Roster) => Roster): Promise<Roster> {
    const turn = this.#last.then(() => untilWon(() => this.#change(change)));
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Gives whether nobody needs it any more, and it is gone. */
  async removeUnused(): Promise<boolean> {
    const { roster, config } = await this.#held();
    if (roster.seats.length > 0 || Object.keys(roster.ringmasters).length > 0) return false;
    if (config !== undefined) await found(this.#docker.getConfig(config.ID).remove());
    return true;
  }

  async #change(change: (roster: Roster) => Roster): Promise<Roster | undefined> {
    const { roster, config } = await this.#held();
    const changed = change(roster);
    if (changed === roster) return roster;
    if (config === undefined) return this.#make(changed);
    const next = { ...changed, revision: roster.revision + 1 };
    const spec = { ...config.Spec, Labels: this.#labelsOf(next) };
    // The name would do, but may by now be that of another.
    const changing = this.#docker.getConfig(config.ID).update(updateOf(config.Version.Index, spec));
    return (await updated(changing)) ? next : undefined;
  }

  #held(): Promise<Held> {
    return untilWon(async () => {
      const config = await found(this.#docker.getConfig(this.#name).inspect());
      if (config !== undefined) {
        const labels = config.Spec?.Labels ?? {};
        if (labels[LABEL.cluster] !== this.#cluster)
          throw new StartFailed(`the config ${this.#name} is not ours: remove it or set CLUSTER`);
        return { roster: decodeRoster(labels), config };
      }
      const seats = await this.#remembered();
      if (seats.length === 0) return { roster: EMPTY_ROSTER, config };
      await this.#make({ ...EMPTY_ROSTER, seats });
      return undefined;
    });
  }

  /** Undefined where somebody else has made one. */
  async #make(begun: Roster): Promise<Roster | undefined> {
    // Later than every revision of one that was removed by hand, which others may still follow: nobody changes one in
    // each millisecond.
    const roster = { ...begun, revision: Date.now() };
    const config = { Name: this.#name, Labels: this.#labelsOf(roster), Data: DATA };
    const created = await made(this.#docker.createConfig(updateOf(undefined, config)));
    return created === undefined ? undefined : roster;
  }

  #labelsOf(roster: Roster): { [label: string]: string } {
    return { ...encodeRoster(roster), ...this.#labels };
  }
}
