const ROOT = new URL('../..', import.meta.url).pathname;
export const DASHBOARD = `${ROOT}src/metrics/grafana-dashboard.json`;
export const ALERTS = `${ROOT}src/metrics/alerts.yml`;
export const ALERT_TESTS = `${ROOT}tests/metrics/alerts.promtool.yml`;

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title?: string;
  readonly description?: string;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[];
  };
  readonly panels: readonly Panel[];
}

export interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export async function readDashboard(): Promise<Dashboard> {
  return (await Bun.file(DASHBOARD).json()) as Dashboard;
}

export async function readRules(): Promise<Rule[]> {
  const { groups } = Bun.YAML.parse(await Bun.file(ALERTS).text()) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** An expression as Grafana sends it, when all of everything is chosen. */
export function chosenAll(expr: string): string {
  return expr.replaceAll('$__rate_interval', '10s').replaceAll(/\$(?:job|instance|plane)\b/g, '.*');
}

const KEYWORDS: ReadonlySet<string> = new Set([
  'and',
  'or',
  'unless',
  'bool',
  'offset',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
]);

/** The names of metrics that an expression reads. */
export function metricNames(expr: string): string[] {
  const bare = expr
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
    .replaceAll(/\{[^}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ');
  const names = [...bare.matchAll(/(?<![\w:.])[a-z_:][\w:]*(?!\s*\(|[\w:])/gi)].map(([name]) => name);
  return [...new Set(names.filter((name) => !KEYWORDS.has(name)))];
}
