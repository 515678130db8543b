/** What a row, or two of them, should come to: held against the measurement, never enforced by it. */
export interface BenchGoal {
  readonly name: string;
  readonly measured: number;
  readonly bound: 'at most' | 'at least';
  readonly goal: number;
}

export interface BenchReport {
  /** What else a reader must know: what it was measured with, what is missing here. */
  readonly notes: readonly string[];
  /** The figures as text, titles first. */
  readonly table: Table;
  /** The figures. */
  readonly rows: readonly object[];
  readonly goals: readonly BenchGoal[];
}

export type Table = readonly (readonly string[])[];

export interface Column<Row> {
  readonly title: string;
  /** Undefined for what was not measured. */
  cell(row: Row): string | undefined;
}

export function tableOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Table {
  return [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => cell(row) ?? NOT_MEASURED)),
  ];
}

/** A figure with so many digits after the point; undefined stays undefined, as does what is no number. */
export function digits(value: number | undefined, count: number): string | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value.toFixed(count);
}

export function isMet({ measured, bound, goal }: BenchGoal): boolean {
  return bound === 'at most' ? measured <= goal : measured >= goal;
}

/** The report as text, a line to a row. */
export function textOf({ notes, table, goals }: BenchReport): string {
  const verdicts = goals.map((goal) => {
    const verdict = isMet(goal) ? 'met   ' : 'missed';
    return `${verdict}  ${goal.name}: ${goal.measured.toFixed(2)}, goal ${goal.bound} ${goal.goal}`;
  });
  const parts = [notes, aligned(table), verdicts].filter((lines) => lines.length > 0);
  return `${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

const NOT_MEASURED = '-';
const NUMERIC = /^(?:-|[\d.]+)$/;

/** Figures stand to the right, words to the left. */
function aligned(table: Table): string[] {
  const [titles = [], ...rows] = table;
  const columns = titles.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    return {
      width: Math.max(title.length, ...cells.map((cell) => cell.length)),
      numeric: cells.length > 0 && cells.every((cell) => NUMERIC.test(cell)),
    };
  });
  return table.map((row) =>
    columns
      .map(({ width, numeric }, column) => {
        const cell = row[column] ?? '';
        return numeric ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
