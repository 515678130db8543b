import { describe, expect, test } from 'bun:test';
import { LAB_HELP, parseCommand, UsageError } from '../../src/lab/options.ts';

const lab = (...args: string[]) => {
  const command = parseCommand(args);
  return command.kind === 'lab' ? command.options : undefined;
};
const graded = (...args: string[]) => {
  const command = parseCommand(['grade', ...args]);
  return command.kind === 'grade' ? command.options : undefined;
};

function refusal(...args: string[]): string {
  try {
    parseCommand(args);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  return 'was taken';
}

describe('options of the lab', () => {
  test('are those of the assignment where nothing is said', () => {
    expect(lab()).toEqual({
      requests: 10_000,
      replicas: [2, 6],
      algorithms: ['ring', 'maglev', 'rendezvous', 'course'],
      out: 'lab-report',
      runtime: 'auto',
      seed: 1,
    });
  });

  test('are taken with a space or with =', () => {
    expect(
      lab(
        '--requests',
        '200',
        '--replicas=3..4',
        '--algorithms',
        'course, ring',
        '--out=x',
        '--runtime',
        'process',
      ),
    ).toMatchObject({
      requests: 200,
      replicas: [3, 4],
      algorithms: ['course', 'ring'],
      out: 'x',
      runtime: 'process',
    });
    expect(lab('--servers', '2-3')).toMatchObject({ replicas: [2, 3] });
    expect(lab('--replicas', '5', '--seed=0')).toMatchObject({ replicas: [5, 5], seed: 0 });
    expect(lab('--algorithms', 'ring,ring')).toMatchObject({ algorithms: ['ring'] });
  });

  test.each([
    [['--requests', '0'], '--requests="0" is not allowed: it must be a whole number from 1 to 1000000'],
    [['--requests', '1e4'], '--requests="1e4" is not allowed'],
    [['--requests', '-5'], '--requests needs a value: --requests=VALUE'],
    [['--requests=-5'], '--requests="-5" is not allowed: it must be a whole number from 1'],
    [['--requests'], '--requests needs a value'],
    [['--replicas', '6..2'], '--replicas="6..2" is not allowed: it must be A..B with numbers from 1 to 16'],
    [['--replicas', '0..2'], 'numbers from 1 to 16'],
    [['--replicas', '2..17'], 'numbers from 1 to 16'],
    [['--replicas', '2..3', '--servers', '2..3'], 'give one of them'],
    [['--algorithms', 'ring,modulo'], 'it must be some of ring,maglev,rendezvous,course'],
    [['--algorithms', ''], 'it must be some of'],
    [['--runtime', 'swarm'], 'it must be one of auto, process, docker'],
    [['--seed', '4294967296'], 'from 0 to 4294967295'],
    [['--out', ''], 'it must be a folder'],
    [['--speed', '3'], '"--speed" is not understood: there are --requests, --replicas, --servers'],
    [['-q'], '"-q" is not understood'],
    [['marks'], '"marks" is no command'],
    [['--requests', '\u001b[2J'], '--requests="\\u001b[2J" is not allowed'],
    [['--runtime', `${'x'.repeat(500)}`], 'x…"'],
  ])('%j is refused in one line', (args, line) => {
    const said = refusal(...args);
    expect(said).toContain(line);
    expect(said).not.toContain('\n');
    expect(said.length).toBeLessThan(200);
  });
});

describe('options of the grader', () => {
  test.each([
    ['localhost:5000', 'http://localhost:5000'],
    ['http://10.0.0.1:5000/', 'http://10.0.0.1:5000'],
    ['HTTP://Lab.Example/team-7/', 'http://lab.example/team-7'],
    ['[::1]:5000', 'http://[::1]:5000'],
    ['https://lab.example', 'https://lab.example'],
  ])('%s is %s', (text, url) => {
    expect(graded(text)).toEqual({
      url,
      json: false,
      yes: false,
      timeoutMs: 30_000,
      insecure: false,
      token: undefined,
    });
  });

  test('flags are taken before and after the URL', () => {
    expect(graded('--json', 'https://a:1', '--timeout-ms=500', '--yes', '--insecure')).toEqual({
      url: 'https://a:1',
      json: true,
      yes: true,
      timeoutMs: 500,
      insecure: true,
      token: undefined,
    });
  });

  test.each([
    [[], 'grade needs a URL'],
    [['wss://a'], 'it must be a URL such as http://localhost:5000'],
    [['a', '--insecure'], '--insecure is for a URL of https'],
    [['a', '--token', 'x'], '"--token" is not understood'],
    [['ftp://a'], 'it must be a URL'],
    [['http://'], 'it must be a URL'],
    [['http://u:p@a'], 'it must be a URL'],
    [['a b'], 'it must be a URL'],
    [['a', 'b'], 'grade takes one URL'],
    [['a', '--timeout-ms', '5'], 'from 100 to 600000'],
    [['a', '--yes=no'], '"--yes=no" is not understood'],
    [
      ['a', '--requests', '5'],
      '"--requests" is not understood: there are --json, --yes, --insecure, --timeout-ms',
    ],
  ])('%j is refused', (args, line) => {
    expect(refusal('grade', ...args)).toContain(line);
  });
});

test('the token of the grader comes from the environment alone, and is not in what refuses it', () => {
  const tokenOf = (text: string) => parseCommand(['grade', 'a'], { GRADE_TOKEN: text });
  expect(tokenOf('s3cret')).toMatchObject({ options: { token: 's3cret' } });
  expect(tokenOf('')).toMatchObject({ options: { token: undefined } });
  expect(() => tokenOf('two words')).toThrow(
    /^GRADE_TOKEN is not allowed: it must be 1 to 512 printable characters without spaces$/,
  );
});

test('help tells of every option', () => {
  expect(parseCommand(['--help'])).toEqual({ kind: 'help', text: LAB_HELP });
  expect(parseCommand(['grade', '-h']).kind).toBe('help');
  for (const option of [
    'requests',
    'replicas',
    'servers',
    'algorithms',
    'out',
    'runtime',
    'seed',
    'json',
    'timeout-ms',
    'yes',
    'insecure',
  ])
    expect(LAB_HELP).toContain(`--${option}`);
});
