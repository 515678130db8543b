import { grade, type Verdict } from '../../../src/lab/grade/grade.ts';
import { Fake, type FakeOptions } from './fake.ts';

export const CALL_TIMEOUT_MS = 10_000;

export const gradeUrl = (url: string, timeoutMs = CALL_TIMEOUT_MS, token?: string): Promise<Verdict> =>
  grade({ url, timeoutMs, token, now: () => performance.now() });

export async function gradeFake(
  options: FakeOptions,
  timeoutMs?: number,
): Promise<{ verdict: Verdict; fake: Fake }> {
  await using fake = await Fake.open(options);
  return { verdict: await gradeUrl(fake.url, timeoutMs), fake };
}

export function marked({ points }: Verdict, mark: string): string[] {
  return points.filter((point) => point.mark === mark).map(({ id }) => id);
}

export const cameOf = ({ points }: Verdict, id: string): string | undefined =>
  points.find((point) => point.id === id)?.came;
