/** One line of samples. */
export interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface FamilyText {
  readonly type: string;
  readonly help: string;
  readonly lines: readonly Line[];
}

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/s;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)/gy;
const ESCAPES: Readonly<Record<string, string>> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' };

/** Reads the text format of Prometheus, strictly: what it does not know, it throws for. */
export function readExposition(text: string): Map<string, FamilyText> {
  const families = new Map<string, FamilyText & { lines: Line[] }>();
  let family: (FamilyText & { lines: Line[] }) | undefined;
  let help: readonly string[] = [];
  for (const line of text.trimEnd().split('\n')) {
    if (line === '') continue;
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') help = [name, rest];
    else if (kind === 'TYPE') {
      if (help[0] !== name || families.has(name)) throw new Error(`out of order: ${line}`);
      family = { type: rest, help: help[1] as string, lines: [] };
      families.set(name, family);
    } else family?.lines.push(readLine(line));
  }
  return families;
}

function readLine(line: string): Line {
  const [, name, labelsText = '', value] = LINE.exec(line) ?? [];
  if (name === undefined || Number.isNaN(Number(value?.replace('+Inf', 'Infinity'))))
    throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  let read = 0;
  for (const match of labelsText.matchAll(LABEL)) {
    labels[match[1] as string] = (match[2] as string).replace(/\\./g, (escape) => ESCAPES[escape] as string);
    read += match[0].length;
  }
  if (read !== labelsText.length) throw new Error(`no labels: ${line}`);
  return { name, labels, value: Number(value) };
}

/** Names of all series in order of their families, those that a histogram has besides its own included. */
export function seriesNames(families: ReadonlyMap<string, FamilyText>): string[] {
  return [...families].flatMap(([name, { type }]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
}
