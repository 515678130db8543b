import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Frame, Page, Response } from 'playwright-core';
import { openBrowser, type Browser } from '../browser.ts';
import { eventually, spawnRingmaster, type Spawned } from '../spawned.ts';
import { change, countOf, stateOf } from './calls.ts';

const PATIENCE_MS = 120_000;
/** A name that somebody else owns, which he points at this machine. */
const FOREIGN = 'evil.example';
const BODY = '{"n":1}';

/** A page that a stranger serves, in the operator's own browser, beside Ringmaster. */
describe('a page of another site', () => {
  let ringmaster: Spawned;
  let browser: Browser;
  let stranger: Bun.Server<undefined>;
  /** What Ringmaster answered to the calls of pages that change things. */
  let answered: Response[] = [];

  beforeAll(async () => {
    ringmaster = await spawnRingmaster({
      RUNTIME: 'process',
      REPLICAS: '2',
      CLUSTER: `sec-${process.pid}`,
      REPLICA_COMMAND: `'${process.execPath}' tests/security/page-replica.ts`,
    });
    stranger = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () =>
        new Response('<!doctype html><title>stranger</title><iframe name="sink"></iframe>', {
          headers: { 'content-type': 'text/html' },
        }),
    });
    browser = await openBrowser([
      // Both of the stranger's names lead here.
      `--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1, MAP *.${FOREIGN} 127.0.0.1`,
    ]);
    browser.context.on('response', (response) => {
      if (/\/(?:add|rm)\/?(?:\?|$)/.test(response.url())) answered.push(response);
    });
  }, PATIENCE_MS);
  afterAll(async () => {
    await browser?.close();
    await stranger?.stop(true);
    await ringmaster?.end('SIGTERM');
  }, PATIENCE_MS);

  const open = async (url: string): Promise<Page> => {
    const page = await browser.context.newPage();
    await page.goto(url);
    return page;
  };
  const strangerAt = (host: string): string => `http://${host}:${stranger.port}/`;
  /** Runs the attempts of a page and expects that nothing came of them. */
  const inVain = async (attempts: () => Promise<unknown>, statuses: readonly number[]): Promise<void> => {
    const before = await stateOf(ringmaster.url);
    answered = [];
    await attempts();
    await eventually(() => answered.length >= statuses.length);
    expect(await stateOf(ringmaster.url)).toBe(before);
    for (const response of answered) {
      const names = Object.keys(response.headers());
      expect(names.filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
    // Each of them did arrive, and was refused for the reason that it should be.
    expect(answered.map((response) => response.status()).sort()).toEqual([...statuses].sort());
  };

  /** What a script can have sent without being asked whether it may: the page never sees the reply, but it arrives. */
  const simpleCalls = async (frame: Page | Frame, base: string): Promise<unknown> =>
    frame.evaluate(
      async ([url, body]) => {
        const sent = { method: 'POST', mode: 'no-cors', credentials: 'include' } as const;
        const outcomes: string[] = [];
        const attempt = async (init: RequestInit): Promise<void> => {
          const outcome = await fetch(`${url}/add`, { ...sent, ...init }).then(
            (reply) => `${reply.type} ${reply.status}`,
            () => 'refused',
          );
          outcomes.push(outcome);
        };
        await attempt({ body });
        await attempt({ body, headers: { 'content-type': 'text/plain' } });
        // A browser does not let this type through; it leaves it out.
        await attempt({ body, headers: { 'content-type': 'application/json' } });
        await attempt({ body: new URLSearchParams({ n: '1' }) });
        await attempt({ body: new Blob([body], { type: 'application/json' }), keepalive: true });
        navigator.sendBeacon(`${url}/add`, body);
        navigator.sendBeacon(`${url}/add`, new Blob([body], { type: 'text/plain' }));
        return outcomes;
      },
      [base, BODY] as const,
    );

  /** What a browser asks about first, and is told nothing that would allow it. */
  const askedCalls = async (frame: Page | Frame, base: string): Promise<unknown> =>
    frame.evaluate(
      async ([url, body]) => {
        const outcomes: string[] = [];
        const json = { 'content-type': 'application/json' };
        const attempt = async (path: string, init: RequestInit): Promise<void> => {
          const outcome = await fetch(url + path, { mode: 'cors', ...init }).then(
            () => 'read',
            () => 'refused',
          );
          outcomes.push(outcome);
        };
        await attempt('/add', { method: 'POST', body, headers: json });
        await attempt('/rm', { method: 'DELETE', body, headers: json });
        await attempt('/add', { method: 'POST', body, headers: { ...json, authorization: 'Bearer x' } });
        // Not asked about, sent, and its reply kept from the page.
        await attempt('/add', { method: 'POST', body });
        const viaXhr = (method: string, path: string): Promise<void> =>
          new Promise((resolve) => {
            const xhr = new XMLHttpRequest();
            xhr.open(method, url + path);
            xhr.setRequestHeader('content-type', 'application/json');
            xhr.addEventListener('load', () => outcomes.push('read'));
            xhr.addEventListener('error', () => outcomes.push('refused'));
            xhr.addEventListener('loadend', () => resolve());
            xhr.send(body);
          });
        await viaXhr('POST', '/add');
        await viaXhr('DELETE', '/rm');
        return outcomes;
      },
      [base, BODY] as const,
    );

  const sites = [
    ['on another port of ours', '127.0.0.1'],
    ['under a name', FOREIGN],
  ] as const;

  test.each(sites)(
    '%s, calls without being asked whether it may: in vain',
    async (_, host) => {
      const page = await open(strangerAt(host));
      // On another port it is the same site, so that the Origin has to tell.
      await inVain(() => simpleCalls(page, ringmaster.url), Array(7).fill(403));
      await page.close();
    },
    PATIENCE_MS,
  );

  test.each(sites)(
    '%s, asks whether it may call: it is not told so',
    async (_, host) => {
      const page = await open(strangerAt(host));
      const before = await stateOf(ringmaster.url);
      expect(await askedCalls(page, ringmaster.url)).toEqual(Array(6).fill('refused'));
      expect(await stateOf(ringmaster.url)).toBe(before);
      await page.close();
    },
    PATIENCE_MS,
  );

  test.each(sites)(
    '%s, submits forms: in vain',
    async (_, host) => {
      for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        const page = await open(strangerAt(host));
        const before = await stateOf(ringmaster.url);
        await page.evaluate(
          ([url, type]) => {
            const form = document.createElement('form');
            Object.assign(form, { action: `${url}/add`, method: 'post', enctype: type, target: 'sink' });
            const field = document.createElement('input');
            // As text/plain this is {"n":1,"hostnames":["x=y"]}.
            Object.assign(field, { name: '{"n":1,"hostnames":["x', value: 'y"]}' });
            form.append(field);
            document.body.append(form);
            form.submit();
          },
          [ringmaster.url, enctype] as const,
        );
        // What it was told stands in the frame; a frame that changes its process may keep that from who drives the browser.
        await eventually(async () => {
          const sink = page.frames().find((frame) => frame.url() === `${ringmaster.url}/add`);
          const told = await sink?.evaluate(() => document.body.textContent);
          return told?.includes('may not change the replicas') === true;
        });
        expect(await stateOf(ringmaster.url)).toBe(before);
        await page.close();
      }
    },
    PATIENCE_MS,
  );

  test(
    'has a browser GET what changes things: in vain',
    async () => {
      const page = await open(strangerAt(FOREIGN));
      const before = await stateOf(ringmaster.url);
      // The browser keeps such replies even from whoever drives it; that each came is told by the failure to use it.
      const failed = await page.evaluate(async (url) => {
        const failures = ['/add?n=1', '/rm?n=1'].flatMap((path) => {
          const image = Object.assign(new Image(), { src: url + path });
          const style = document.createElement('link');
          Object.assign(style, { rel: 'stylesheet', href: `${url}${path}&style` });
          document.body.append(image, style);
          return [image, style].map(
            (one) => new Promise((resolve) => one.addEventListener('error', resolve)),
          );
        });
        return (await Promise.all(failures)).length;
      }, ringmaster.url);
      expect([failed, await stateOf(ringmaster.url)]).toEqual([4, before]);
      await page.close();
    },
    PATIENCE_MS,
  );

  test(
    'calls from a sandbox, whose origin is null: in vain',
    async () => {
      const page = await open(strangerAt('127.0.0.1'));
      await page.evaluate(() => {
        const frame = document.createElement('iframe');
        frame.setAttribute('sandbox', 'allow-scripts allow-forms');
        frame.srcdoc = '<title>sandbox</title>';
        document.body.append(frame);
      });
      await eventually(() => page.frames().length === 3);
      const sandbox = page.frames().at(-1) as Frame;
      expect(await sandbox.evaluate(() => origin)).toBe('null');
      await inVain(() => simpleCalls(sandbox, ringmaster.url), Array(7).fill(403));
      expect(await askedCalls(sandbox, ringmaster.url)).toEqual(Array(6).fill('refused'));
      await page.close();
    },
    PATIENCE_MS,
  );

  // Its name leads to us now: to the browser its page and our API are one origin, and nothing is asked about.
  test(
    'whose name is pointed at us changes nothing, though the browser takes it for ours',
    async () => {
      const rebound = `http://${FOREIGN}:${new URL(ringmaster.url).port}`;
      const page = await open(`${rebound}/page`);
      await inVain(
        () =>
          page.evaluate(async (body) => {
            const json = { 'content-type': 'application/json' };
            await fetch('/add', { method: 'POST', body, headers: json });
            await fetch('/rm', { method: 'DELETE', body, headers: json });
            await fetch('/add/', { method: 'POST', body, headers: json });
          }, BODY),
        [403, 403, 403],
      );
      await page.close();
    },
    PATIENCE_MS,
  );

  test(
    'can’t put the page to try the API into a frame, where clicks could be led to it',
    async () => {
      const page = await open(strangerAt('127.0.0.1'));
      const told: string[] = [];
      page.on('console', (message) => told.push(message.text()));
      await page.evaluate((url) => {
        const frame = document.createElement('iframe');
        frame.src = `${url}/swagger`;
        document.body.append(frame);
      }, ringmaster.url);
      await eventually(() => told.some((text) => text.includes('frame-ancestors')));
      const shown = await Promise.all(page.frames().map((frame) => frame.locator('#swagger-ui').count()));
      expect(shown.every((count) => count === 0)).toBe(true);
      await page.close();
    },
    PATIENCE_MS,
  );

  test(
    'and our own page can: what was refused is not refused to everybody',
    async () => {
      const before = await countOf(ringmaster.url);
      const page = await open(`${ringmaster.url}/swagger`);
      const status = await page.evaluate(
        async (body) =>
          (
            await fetch('/add', {
              method: 'POST',
              body,
              headers: { 'content-type': 'application/json' },
            })
          ).status,
        BODY,
      );
      expect([status, await countOf(ringmaster.url)]).toEqual([200, before + 1]);
      expect(await change(ringmaster.url, -1)).toBe(200);
      await page.close();
    },
    PATIENCE_MS,
  );

  // Documented: who serves pages from replicas that he does not trust has to set ADMIN_TOKEN.
  test(
    'that a replica serves has our origin: only ADMIN_TOKEN keeps it from changing things',
    async () => {
      const before = await countOf(ringmaster.url);
      const post = (page: Page): Promise<number> =>
        page.evaluate(
          async (body) =>
            (
              await fetch('/add', {
                method: 'POST',
                body,
                headers: { 'content-type': 'application/json' },
              })
            ).status,
          BODY,
        );
      const page = await open(`${ringmaster.url}/page`);
      expect([await post(page), await countOf(ringmaster.url)]).toEqual([200, before + 1]);
      expect(await change(ringmaster.url, -1)).toBe(200);
      await page.close();
      const guarded = await spawnRingmaster({
        RUNTIME: 'process',
        REPLICAS: '1',
        ADMIN_TOKEN: 'correct-horse-battery',
        REPLICA_COMMAND: `'${process.execPath}' tests/security/page-replica.ts`,
      });
      const refused = await open(`${guarded.url}/page`);
      expect([await post(refused), await countOf(guarded.url)]).toEqual([401, 1]);
      await refused.close();
      expect(await guarded.end('SIGTERM')).toBe(0);
    },
    PATIENCE_MS,
  );
});
