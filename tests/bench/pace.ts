/** How long and how often a bench under load measures. */
export interface Pace {
  readonly rounds: number;
  /** Of each contestant in each round. */
  readonly seconds: number;
}

const DEFAULT_PACE: Pace = { rounds: 11, seconds: 1.5 };

/** Takes `--rounds N` and `--seconds N` out of the arguments; throws where they are no positive numbers. */
export function takePace(args: readonly string[]): { pace: Pace; rest: string[] } {
  const pace: { -readonly [Name in keyof Pace]: number } = { ...DEFAULT_PACE };
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const name = arg.replace(/^--/, '');
    if (arg !== '--rounds' && arg !== '--seconds') {
      rest.push(arg);
      continue;
    }
    const value = Number(args[++i]);
    if (!(value > 0) || (name === 'rounds' && !Number.isInteger(value)))
      throw new Error(`${arg} takes a positive number, such as ${arg} 2`);
    pace[name as keyof Pace] = value;
  }
  return { pace, rest };
}
