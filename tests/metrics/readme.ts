const README = new URL('../../README.md', import.meta.url).pathname;

export async function metricsSection(): Promise<string> {
  const sections = (await Bun.file(README).text()).split(/^## /m);
  return sections.find((one) => one.startsWith('Metrics\n')) ?? '';
}

/** The configuration that is to be copied. */
export async function scrapeConfig(): Promise<string> {
  return /```yaml\n([^]*?)```/.exec(await metricsSection())?.[1] ?? '';
}
