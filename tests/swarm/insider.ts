import type { Hosts } from './hosts.ts';
import { mappedServer, PORT } from './ringmaster.ts';

/** One answer of /map_request, as it was given inside of the container. */
export interface Told {
  /** When it was asked for: on this machine's clock, which all containers have. */
  readonly askedMs: number;
  readonly id: number;
  readonly status: number;
  /** Of a 200 only. */
  readonly server: string;
}

/** Ids that are asked for in turn. */
const IDS = 1000;
/** Between two questions, in ms. */
const PAUSE_MS = 10;
/** Runs in the container: one line for each answer. */
const SCRIPT = `
for (let turn = 0; ; turn++) {
  const [id, askedMs] = [turn % ${IDS}, Date.now()];
  const reply = await fetch('http://127.0.0.1:${PORT}/map_request?id=' + id);
  console.log(JSON.stringify([askedMs, id, reply.status, await reply.text()]));
  await Bun.sleep(${PAUSE_MS});
}`;

/** Asks a Ringmaster from within its own container for owners, also while nobody else reaches it, until the container ends. */
export class Insider {
  readonly told: Told[] = [];
  readonly #child: Bun.Subprocess<'ignore', 'pipe', 'ignore'>;
  readonly #reading: Promise<void>;

  constructor(hosts: Hosts, host: number, container: string) {
    this.#child = Bun.spawn(
      ['docker', '-H', `unix://${hosts.socket(host)}`, 'exec', container, 'bun', '-e', SCRIPT],
      { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' },
    );
    this.#reading = this.#read();
  }

  async end(): Promise<void> {
    this.#child.kill();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [askedMs, id, status, body] = JSON.parse(line) as [number, number, number, string];
        this.told.push({ askedMs, id, status, server: status === 200 ? mappedServer(body) : '' });
      }
    }
  }
}
