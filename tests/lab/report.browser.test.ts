import { afterAll, beforeAll, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { reportOf } from '../../src/lab/report.ts';
import { openBrowser, type Browser } from '../browser.ts';
import { HOSTILE, resultsOf } from './results.ts';

const PATIENCE_MS = 60_000;
const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));
const folder = mkdtempSync(join(tmpdir(), 'ringmaster-report-'));
let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
}, PATIENCE_MS);
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
}, PATIENCE_MS);

async function opened(html: string, scheme: 'light' | 'dark', width: number): Promise<Page> {
  const path = join(folder, `${scheme}-${width}.html`);
  writeFileSync(path, html);
  const page = await browser.context.newPage();
  await page.emulateMedia({ colorScheme: scheme });
  await page.setViewportSize({ width, height: 900 });
  await page.goto(pathToFileURL(path).href);
  return page;
}

/** What axe finds wrong for those who can't see or use a mouse. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(await Bun.file(AXE).text());
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const found = await axe.run();
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`),
    );
  });
}

test.each([
  ['light', 1000],
  ['dark', 1000],
  ['light', 390],
  ['dark', 320],
] as const)(
  'in %s, %d pixels wide, the report is readable by all, and no wider than the screen',
  async (scheme, width) => {
    const page = await opened(reportOf(resultsOf()), scheme, width);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await violations(page)).toEqual([]);
    await page.close();
  },
  PATIENCE_MS,
);

test(
  'it asks for nothing, and runs nothing, whatever servers are called',
  async () => {
    const page = await opened('', 'light', 1000);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    const names = [HOSTILE, '"><img src=x onerror=alert(1)>', '</style><script>document.title="x"</script>'];
    writeFileSync(join(folder, 'light-1000.html'), reportOf(resultsOf(names)));
    await page.reload();
    expect(asked).toHaveLength(1);
    expect(await page.title()).toBe('Lab report: a customizable load balancer');
    expect(await page.locator('img, script').count()).toBe(0);
    await page.close();
  },
  PATIENCE_MS,
);
