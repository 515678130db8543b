import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Page } from 'playwright-core';
import { openBrowser, type Browser } from '../browser.ts';
import { spawnRingmaster, type Spawned } from '../spawned.ts';

const PATIENCE_MS = 120_000;
const OUTPUT = new URL('../../test-output/', import.meta.url).pathname;

describe('the page to try the API', () => {
  let ringmaster: Spawned;
  let browser: Browser;
  let page: Page;
  const asked: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    ringmaster = await spawnRingmaster({ RUNTIME: 'process' });
    browser = await openBrowser();
    page = await browser.context.newPage();
    page.on('request', (request) => asked.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${ringmaster.url}/swagger`);
    await page.waitForSelector('.opblock');
    await page.waitForLoadState('networkidle');
  }, PATIENCE_MS);

  afterAll(async () => {
    await browser?.close();
    await ringmaster?.end('SIGTERM');
  }, PATIENCE_MS);

  /** Opens a call, fills in what it takes, presses Execute; gives status and body of the reply that is shown. */
  async function execute(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: string; body: string }> {
    const block = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
    await block.locator('.opblock-summary-control').click();
    // Until the page has worked out the call, its button finds nothing to execute.
    await block.locator('.responses-table .response').first().waitFor();
    if (body !== undefined) await block.locator('textarea.body-param__text').fill(JSON.stringify(body));
    await block.locator('button.execute').click();
    const row = block.locator('.live-responses-table .response').first();
    await row.waitFor();
    const shown = {
      status: ((await row.locator('.response-col_status').textContent()) ?? '').trim().slice(0, 3),
      body: (await row.locator('.highlight-code, pre').first().textContent()) ?? '',
    };
    await page.screenshot({ path: `${OUTPUT}swagger-${path.slice(1)}.png` });
    await block.locator('.opblock-summary-control').click();
    return shown;
  }

  test(
    'Execute works for all six calls, with bodies',
    async () => {
      await page.screenshot({ path: `${OUTPUT}swagger.png`, fullPage: true });
      expect(await execute('get', '/heartbeat')).toMatchObject({
        status: '200',
        body: expect.stringContaining('Hello'),
      });
      expect(await execute('get', '/rep')).toMatchObject({
        status: '200',
        body: expect.stringContaining('server-3'),
      });
      expect(await execute('get', '/map_request')).toMatchObject({
        status: '200',
        body: expect.stringContaining('mapped_server'),
      });
      expect(await execute('get', '/home')).toMatchObject({
        status: '200',
        body: expect.stringContaining('Hello from Server'),
      });
      expect(await execute('post', '/add', { n: 2, hostnames: ['from-the-page'] })).toMatchObject({
        status: '200',
        body: expect.stringContaining('from-the-page'),
      });
      expect(await execute('delete', '/rm', { n: 1, hostnames: ['from-the-page'] })).toMatchObject({
        status: '200',
      });
      expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toEqual({
        N: 4,
        replicas: ['server-1', 'server-2', 'server-3', 'server-4'],
      });
    },
    PATIENCE_MS,
  );

  test('nothing is asked of any other host, and the browser complains of nothing', () => {
    expect(asked.filter((url) => !url.startsWith(ringmaster.url) && !url.startsWith('data:'))).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
