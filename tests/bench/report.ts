/** One thing measured, in one way. */
export interface BenchRow {
  readonly name: string;
  /** what it was measured with: kind of key, size of body … */
  readonly input: string;
  /** nanoseconds for one operation, in the fastest round */
  readonly nsMin: number;
  /** nanoseconds for one operation, in the median round */
  readonly nsMedian: number;
  /** median over the rounds of this row's time divided by that of the baseline in the same round */
  readonly ratio: number;
}

/** What a row, or two of them, should come to: held against the measurement, never enforced by it. */
export interface BenchGoal {
  readonly name: string;
  readonly measured: number;
  readonly bound: 'at most' | 'at least';
  readonly goal: number;
}

export interface BenchReport {
  /** the name of the row that ratios are relative to, within the same input */
  readonly baseline: string;
  readonly rows: readonly BenchRow[];
  readonly goals: readonly BenchGoal[];
}

export function isMet({ measured, bound, goal }: BenchGoal): boolean {
  return bound === 'at most' ? measured <= goal : measured >= goal;
}

/** The report as text, a line to a row. */
export function textOf({ baseline, rows, goals }: BenchReport): string {
  const header = ['', 'input', 'ns min', 'ns median', `x ${baseline}`];
  const cells = rows.map(({ name, input, nsMin, nsMedian, ratio }) => [
    name,
    input,
    nsMin.toFixed(1),
    nsMedian.toFixed(1),
    ratio.toFixed(2),
  ]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ');
  const verdicts = goals.map((goal) => {
    const verdict = isMet(goal) ? 'met   ' : 'missed';
    return `${verdict}  ${goal.name}: ${goal.measured.toFixed(2)}, goal ${goal.bound} ${goal.goal}`;
  });
  return [line(header), ...cells.map(line), '', ...verdicts, ''].join('\n');
}
