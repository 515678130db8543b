import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Holds the read end of a pipe whose only writer is Ringmaster. However Ringmaster ends, SIGKILL included, the kernel
 * closes the pipe, `read` fails, and the warden kills every process group it was told of. A shell, not JavaScript:
 * POSIX has one everywhere, and it costs a megabyte and a millisecond.
 */
const SCRIPT = `
trap '' INT TERM HUP
groups=
while read -r sign group; do
  case $sign in
    +) groups="$groups $group"; echo "$group" ;;
    -) rest=; for one in $groups; do [ "$one" = "$group" ] || rest="$rest $one"; done; groups=$rest ;;
  esac
done
for one in $groups; do kill -s KILL -- "-$one" 2>/dev/null; done
`;

/** Makes sure that process groups do not outlive this process. */
export class Warden {
  readonly #groups = new Set<number>();
  readonly #waiting = new Map<number, () => void>();
  #shell: ChildProcess | undefined;
  #closed = false;

  /** Resolves once the group is certain to end with this process. */
  guard(group: number): Promise<void> {
    this.#groups.add(group);
    return new Promise((resolve) => {
      this.#waiting.set(group, resolve);
      // A new shell is told of every group by itself.
      if (this.#shell === undefined) this.#open();
      else this.#tell('+', group);
    });
  }

  /** To be called when the group has ended: its number may be given to another. */
  forget(group: number): void {
    this.#waiting.delete(group);
    if (this.#groups.delete(group)) this.#tell('-', group);
  }

  close(): Promise<void> {
    this.#closed = true;
    const shell = this.#shell;
    if (shell === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      shell.on('exit', () => resolve());
      shell.stdin?.end();
    });
  }

  #open(): void {
    // A session of its own: Ctrl-C and a kill of Ringmaster's process group must not reach it.
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'ringmaster-warden'], {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: process.env['PATH'] },
    });
    this.#shell = shell;
    shell.on('error', () => {});
    shell.stdin?.on('error', () => {});
    let unread = '';
    shell.stdout?.on('data', (chunk: Buffer) => {
      const lines = (unread + chunk.toString('latin1')).split('\n');
      unread = lines.pop() ?? '';
      for (const line of lines) {
        const group = Number(line);
        this.#waiting.get(group)?.();
        this.#waiting.delete(group);
      }
    });
    shell.on('exit', () => {
      this.#shell = undefined;
      if (!this.#closed && this.#groups.size > 0) this.#open();
    });
    for (const group of this.#groups) this.#tell('+', group);
  }

  #tell(sign: '+' | '-', group: number): void {
    this.#shell?.stdin?.write(`${sign} ${group}\n`);
  }
}
