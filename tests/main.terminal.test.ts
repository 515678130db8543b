import { describe, expect, test } from 'bun:test';
import { controlsIn, onTerminal, type Terminal } from './security/terminal.ts';
import { environment, eventually } from './spawned.ts';

const PATIENCE_MS = 60_000;
const ROOT = new URL('..', import.meta.url).pathname;
const NO_ENGINE = { RUNTIME: 'auto', DOCKER_HOST: 'unix:///nonexistent/docker.sock' };
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const COLOUR = /\u001b\[\d+(?:;\d+)*m/g;

interface Options {
  readonly env?: Record<string, string>;
  readonly columns?: number;
  readonly colour?: boolean;
}

/** Starts Ringmaster on a terminal, and ends it when it says that it is there. */
function started({ env = {}, columns = 80, colour = true }: Options = {}): Promise<Terminal> {
  return onTerminal([process.execPath, '--no-orphans', 'src/main.ts'], {
    env: environment({ TERM: 'xterm', LOG_LEVEL: 'info', ACCESS_LOG: '0', ...NO_ENGINE, ...env }),
    cwd: ROOT,
    columns,
    colour,
    running: (shown) => eventually(() => shown().includes('Ctrl-C')),
  });
}

/** Without colours, and with a word for what erases. */
function plain(raw: string): string {
  return raw.replaceAll(COLOUR, '').replaceAll('\u001b[K', '<erase>');
}

/** What each of the lines that were written in place of another had been, in order. */
function drawn(raw: string): string[] {
  return [...plain(raw).matchAll(/\r([^\r\n]+?)<erase>/g)].map((match) => match[1] as string);
}

/** What is left on the screen: a line that was erased is not. */
function left(raw: string): string[] {
  return plain(raw)
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => line.slice(line.lastIndexOf('\r') + 1).replaceAll('<erase>', ''));
}

function without(lines: readonly string[], what: string): string[] {
  return lines.filter((line) => !line.includes(what));
}

/** Ports of the block, which are another each time. */
function unported(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/:\d{4,5}\b/, ':PORT'));
}

// Where the limit of open files is low, a line says so.
const DESCRIPTORS = 'CONNECTIONS_MAX';

describe('a start on a terminal', () => {
  test(
    'of 80 columns ends in one tidy block, and the end is one line',
    async () => {
      const { raw, status } = await started();
      expect(status).toBe(0);
      expect(unported(without(left(raw), DESCRIPTORS))).toEqual([
        '',
        'Ringmaster 0.1.0',
        '  page     http://127.0.0.1:PORT/',
        '  swagger  http://127.0.0.1:PORT/swagger',
        '  traffic  http://127.0.0.1:PORT',
        '  runtime  process: no Docker engine answers on this machine',
        '  replicas server-1, server-2, server-3',
        '  changes  accepted from loopback and private addresses',
        '  end      Ctrl-C drains and removes the replicas',
        '',
        'draining… removed 3 replicas',
        '',
      ]);
      const steps = new Set(drawn(raw).map((line) => line.replace(/^\S+ | \d+ s$/g, '')));
      expect([...steps]).toEqual([
        'starting',
        'looking for Docker',
        'replicas run as local processes: no Docker engine answers on this machine',
        'starting replicas: 0 of 3 ready',
        'starting replicas: 1 of 3 ready',
        'starting replicas: 2 of 3 ready',
        'starting replicas: 3 of 3 ready',
        'draining…',
        'draining… removed 1 of 3 replicas',
        'draining… removed 2 of 3 replicas',
        'draining… removed 3 replicas',
      ]);
    },
    PATIENCE_MS,
  );

  test(
    'of 40 columns wraps words, cuts what is under way, and breaks no line',
    async () => {
      const { raw, status } = await started({ columns: 40 });
      expect(status).toBe(0);
      for (const line of drawn(raw)) expect(Bun.stringWidth(line)).toBeLessThan(40);
      expect(drawn(raw)).toContain('⠋ replicas run as local processes: n…');
      const lines = unported(without(left(raw), DESCRIPTORS));
      // An address is left whole, to be clicked on.
      for (const line of without(lines, 'http:')) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(40);
      expect(lines).toContain('           answers on this machine');
    },
    PATIENCE_MS,
  );

  test(
    'shows a warning whole, above what is under way',
    async () => {
      const { raw } = await started({ env: { ON_EXIT: 'keep' } });
      const lines = left(raw);
      expect(lines.filter((line) => line.includes('ON_EXIT=keep has no effect'))).toHaveLength(1);
      const [, warning = ''] = /\r<erase>([^\r\n]*ON_EXIT[^\r\n]*)\r\n\r\S/.exec(plain(raw)) ?? [];
      expect(warning).toContain('WARN');
    },
    PATIENCE_MS,
  );

  test(
    'has no colours where NO_COLOR is set',
    async () => {
      const { raw } = await started({ colour: false, env: { ON_EXIT: 'keep' } });
      expect(raw.match(COLOUR)).toBeNull();
      expect(drawn(raw).length).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );

  test(
    'that is a dumb one is lines, none of which is written anew',
    async () => {
      const { raw, shown } = await started({ env: { TERM: 'dumb' } });
      expect(controlsIn(raw.replaceAll('\r\n', '\n'))).toEqual([]);
      expect(shown).toContain('replicas run as local processes: no Docker engine answers');
      expect(shown).toContain('\n  page     http://');
      expect(shown).toContain('stopped');
    },
    PATIENCE_MS,
  );

  test(
    'that fails leaves one line, and nothing of what was under way',
    async () => {
      const { raw, status } = await onTerminal([process.execPath, '--no-orphans', 'src/main.ts'], {
        env: environment({ TERM: 'xterm', LOG_LEVEL: 'info', ...NO_ENGINE, RUNTIME: 'docker' }),
        cwd: ROOT,
        columns: 80,
      });
      expect(status).toBe(1);
      expect(left(raw)).toEqual([
        'Ringmaster could not start: RUNTIME=docker: no Docker engine answers on this machine',
        '',
      ]);
    },
    PATIENCE_MS,
  );
});
