import type { Instance, Runtime } from '../runtime/runtime.ts';
import { namesOf } from './membership.ts';

/**
 * The marks of those who leave together, at the engine, which is the only memory: whoever is killed in the middle leaves
 * to the next Ringmaster all of the leave or nothing of it. See `adoption`, which reads them.
 */
export class Marks {
  readonly #runtime: Runtime;
  readonly #isMember: (name: string) => boolean;
  /** Whether there may be marks of members that stay. */
  #stale = false;
  #settling: Promise<void> | undefined;

  constructor(runtime: Runtime, isMember: (name: string) => boolean) {
    this.#runtime = runtime;
    this.#isMember = isMember;
  }

  /**
   * Marks those who are to leave together; gives the one that is to be removed before any other, which decides for all.
   * One removal needs no marks. Throws what the runtime throws; then `failed` is due.
   */
  async leave(names: readonly string[]): Promise<string | undefined> {
    await this.idle();
    const found = await this.#runtime.list();
    await this.settle(found);
    const here = names.filter((name) => found.some((one) => one.name === name));
    if (here.length <= 1) return here[0] ?? names[0];
    // What an earlier leave could not remove would be taken for one of these, and stay with them.
    for (const { name } of found.filter((one) => one.leaving !== undefined && !this.#isMember(one.name)))
      await this.#runtime.stop(name, 0);
    const [first, others] = await this.#first(here);
    await this.#runtime.mark(others, 'leaving');
    return first ?? names[0];
  }

  /** The leave under way could not be carried out: the marks are to go. */
  async failed(): Promise<void> {
    this.#stale = true;
    await this.settle();
  }

  /**
   * Takes back what marks members have, where there may be any; `found` is what the engine's list says of that. A member
   * must not be started anew before: with the first's mark gone, that of another would speak of a leave that goes on.
   */
  async settle(found: readonly Instance[] = []): Promise<void> {
    this.#stale ||= found.some((one) => this.#isMarked(one));
    if (!this.#stale) return;
    this.#settling ??= this.#unmark().finally(() => {
      this.#settling = undefined;
    });
    await this.#settling;
  }

  /** Resolves when no mark is on its way back. */
  async idle(): Promise<void> {
    await this.#settling?.catch(() => {});
  }

  async #unmark(): Promise<void> {
    const runtime = this.#runtime;
    const marked = (await runtime.list()).filter((one) => this.#isMarked(one));
    const uncommitted = marked.filter((one) => !one.committed);
    await runtime.mark(namesOf(uncommitted), 'member');
    marked.sort((a, b) => Number(b.leaving === 'first') - Number(a.leaving === 'first'));
    // One is the first again where that was removed; and it is so to the last.
    const [first, others] = await this.#first(namesOf(marked.filter((one) => one.committed)));
    await runtime.mark(others, 'member');
    if (first !== undefined) await runtime.mark([first], 'member');
    this.#stale = false;
  }

  /** Marks the first of them that is there. */
  async #first(names: readonly string[]): Promise<[first: string | undefined, others: readonly string[]]> {
    for (const [i, name] of names.entries())
      if ((await this.#runtime.mark([name], 'leaving first')).length === 0) return [name, names.slice(i + 1)];
    return [undefined, []];
  }

  /** What one who has died had asked for may come in late, and be about one who is a member by now. */
  #isMarked({ name, committed, leaving }: Instance): boolean {
    return (leaving !== undefined || !committed) && this.#isMember(name);
  }
}
