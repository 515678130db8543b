import { readFile } from 'node:fs/promises';

/** How often the ancestors are looked at. */
const LOOK_INTERVAL_MS = 500;
/** From us up to npm there are a package script, a shell and npm itself, with room for one more shell. */
const ANCESTORS_MAX = 5;

/**
 * Calls `orphaned` once when the `npx` or `npm` that started us has ended. It passes a signal on to its shell only,
 * which ends and leaves those below running with nobody to end them. Linux only, where /proc tells of ancestors;
 * elsewhere, and without npm among the ancestors, nothing is watched.
 */
export async function watchLineage(orphaned: () => void): Promise<void> {
  const lineage = await ancestors();
  if (lineage === undefined) return;
  const timer = setInterval(() => {
    void intact(lineage).then((yes) => {
      if (yes) return;
      clearInterval(timer);
      orphaned();
    });
  }, LOOK_INTERVAL_MS);
  timer.unref();
}

/** Process ids from ourselves up to npm. */
async function ancestors(): Promise<number[] | undefined> {
  const pids = [process.pid];
  for (let i = 0; i < ANCESTORS_MAX; i++) {
    const parent = await parentOf(pids.at(-1) as number);
    if (parent === undefined || parent <= 1) return undefined;
    pids.push(parent);
    const command = await readFile(`/proc/${parent}/cmdline`, 'utf8').catch(() => '');
    if (/^npm |^npx |\/(?:npm|npx)(?:-cli\.js)?\0/.test(command)) return pids;
  }
  return undefined;
}

async function intact(lineage: readonly number[]): Promise<boolean> {
  for (let i = 0; i + 1 < lineage.length; i++)
    if ((await parentOf(lineage[i] as number)) !== lineage[i + 1]) return false;
  return true;
}

async function parentOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const field = statFields(stat)[1];
  return field === undefined ? undefined : Number(field);
}

/** What /proc/PID/stat (proc(5)) says behind the name of the process, from its third field on: the state. */
export function statFields(stat: string): readonly string[] {
  // The name is in brackets and may hold any character, so the fields are counted from the last bracket.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
