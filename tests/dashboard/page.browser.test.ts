import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { treeOf } from '../bench/usage.ts';
import { eventually, freePort, spawnRingmaster, type Environment, type Spawned } from '../spawned.ts';
import { Onlooker } from './onlooker.ts';
import { OpenPage } from './pages.ts';
import { LISTENERS_MAX } from '../../src/dashboard/stream.ts';
import { Link } from './link.ts';

const PATIENCE_MS = 120_000;
setDefaultTimeout(PATIENCE_MS);
const JSON_TYPE = { 'content-type': 'application/json' };
const TOKEN = 'a-token-of-the-operator';

/** A Ringmaster, and somebody who looks at its page. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly ringmaster: Spawned,
    readonly onlooker: Onlooker,
  ) {}

  static async open(env: Environment = {}): Promise<Scene> {
    const ringmaster = await spawnRingmaster({ RUNTIME: 'process', ...env });
    return new Scene(ringmaster, await Onlooker.open(ringmaster.url));
  }

  async change(method: 'POST' | 'DELETE', path: string, body: object): Promise<void> {
    const reply = await fetch(this.ringmaster.url + path, {
      method,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
    expect(reply.status).toBe(200);
  }

  /** Requests on both ports, so that there is something to see. */
  async traffic(requests: number): Promise<void> {
    for (let i = 0; i < requests; i++) {
      await (await fetch(`${this.ringmaster.traffic}/home?id=${i}`)).text();
      if (i % 10 === 0) await (await fetch(`${this.ringmaster.url}/home?id=${i}`)).text();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A frozen one does not end by being asked.
    this.ringmaster.signal('SIGCONT');
    await this.onlooker[Symbol.asyncDispose]();
    await this.ringmaster.end('SIGTERM');
    const { errors, outside } = this.onlooker.complaints;
    // Said here as well: an error on the way out hides the one that led to it.
    for (const complaint of [...errors, ...outside]) process.stderr.write(`the browser: ${complaint}\n`);
    expect([...errors, ...outside]).toEqual([]);
  }
}

/** The process that a replica of RUNTIME=process is. */
function pidOf(ringmaster: Spawned, name: string): number {
  const environ = (pid: number): string[] => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  const pid = treeOf(ringmaster.pid).find((one) => environ(one).includes(`SERVER_ID=${name}`));
  if (pid === undefined) throw new Error(`${name} has no process`);
  return pid;
}

describe('the page shows', () => {
  test('the ring, a card for each replica, and what they have done', async () => {
    await using scene = await Scene.open();
    const { onlooker } = scene;
    await onlooker.news('live');
    await onlooker.cards(3);
    await scene.traffic(300);
    await onlooker.page.waitForFunction(
      () => Number.parseFloat(document.querySelector('[data-test=vital-requests]')?.textContent ?? '') > 0,
    );
    expect(await onlooker.by('vital-ready').textContent()).toMatch(/^3/);
    expect(await onlooker.by('ring').getAttribute('aria-label')).toContain('server-2');
    expect(await onlooker.by('timeline').textContent()).toContain('joined');
    await onlooker.picture('ready');
  });

  test.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 360],
  ] as const)('itself to everybody, also in the %s on %p pixels', async (colorScheme, width) => {
    await using scene = await Scene.open({ CHAOS: '1' });
    const { onlooker } = scene;
    const { page } = onlooker;
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 900 });
    await onlooker.cards(3);
    await scene.traffic(60);
    await onlooker.by('probe-input').fill('42');
    await onlooker.by('probe-answer').filter({ hasText: 'owns' }).waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture(`${colorScheme}-${width}`);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    for (const dialog of ['add', 'remove']) {
      await onlooker.by(`open-${dialog}`).click();
      await onlooker.by(`${dialog}-preview`).filter({ hasText: '%' }).waitFor();
      expect(await onlooker.violations()).toEqual([]);
      await onlooker.picture(`${colorScheme}-${width}-${dialog}`);
      await page.keyboard.press('Escape');
    }
  });

  test('no replicas where there are none, and how to have some', async () => {
    await using scene = await Scene.open({ REPLICAS: '0' });
    const { onlooker } = scene;
    await onlooker.news('live');
    await onlooker.by('empty').filter({ hasText: /add/i }).waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture('empty');
    await onlooker.by('open-add').click();
    await onlooker.by('add-submit').click();
    await onlooker.cards(1);
  });

  test('64 replicas', async () => {
    const servers = Array.from({ length: 64 }, () =>
      Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('ok') }),
    );
    try {
      const upstreams = servers.map(({ port }, i) => `server-${i + 1}=127.0.0.1:${port}`).join(',');
      await using scene = await Scene.open({ RUNTIME: 'static', UPSTREAMS: upstreams });
      const { onlooker } = scene;
      await onlooker.cards(64);
      await scene.traffic(200);
      expect(await onlooker.violations()).toEqual([]);
      // Among their points there are some that meet.
      await onlooker.page.locator('#hub').filter({ hasText: '65,536 points' }).waitFor();
      await onlooker.picture('64-replicas');
      await servers[6]?.stop(true);
      await onlooker.page
        .locator('[data-test=card][data-replica="server-7"]:not([data-state=ready])')
        .waitFor();
      await onlooker.by('filter').fill('server-7');
      await onlooker.page.waitForFunction(
        () =>
          [...document.querySelectorAll('[data-test=card]')].filter((card) => card.checkVisibility())
            .length === 1,
      );
    } finally {
      for (const server of servers) await server.stop(true);
    }
  });
});

describe('a key', () => {
  test('is found by keyboard alone, and owned by whom /map_request says', async () => {
    await using scene = await Scene.open();
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    for (const id of ['42', '7', '123456789']) {
      await onlooker.page.locator('h1').click();
      await onlooker.page.keyboard.press('/');
      await onlooker.page.keyboard.type(id);
      await onlooker.page.keyboard.press('Enter');
      const { mapped_server: owner } = (await (
        await fetch(`${ringmaster.url}/map_request?id=${id}`)
      ).json()) as { mapped_server: string };
      await onlooker
        .by('probe-answer')
        .filter({ hasText: `${owner} owns “${id}”` })
        .waitFor();
      const order = await onlooker.by('probe-fallback').locator('li').allTextContents();
      expect(order[0]).toContain(owner);
      expect(order).toHaveLength(3);
    }
    await onlooker.picture('probe');
  });

  test('goes to the next when its owner is gone, on the page, too', async () => {
    await using scene = await Scene.open();
    const { onlooker } = scene;
    await onlooker.cards(3);
    await onlooker.by('probe-input').fill('42');
    await onlooker.by('probe-answer').filter({ hasText: 'owns' }).waitFor();
    const [owner = '', next = ''] = await onlooker.by('probe-fallback').locator('li').allTextContents();
    await scene.change('DELETE', '/rm', { n: 1, hostnames: [owner.trim()] });
    await onlooker.by('probe-answer').filter({ hasText: next.trim() }).waitFor();
  });

  test('whose home is off the ring says who gets its requests, and why', async () => {
    await using scene = await Scene.open({ HEARTBEAT_FAILURES: '2' });
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    await onlooker.by('probe-input').fill('42');
    await onlooker.by('probe-answer').filter({ hasText: 'owns' }).waitFor();
    const [home = '', next = ''] = (await onlooker.by('probe-fallback').locator('li').allTextContents()).map(
      (text) => text.trim(),
    );
    const pid = pidOf(ringmaster, home);
    process.kill(pid, 'SIGSTOP');
    try {
      const passed = onlooker.by('probe-fallback').locator('li.passed');
      await passed.filter({ hasText: home }).filter({ hasText: 'ejected: ' }).waitFor();
      await onlooker
        .by('probe-answer')
        .filter({ hasText: `${next} owns “42”` })
        .waitFor();
      expect(await onlooker.violations()).toEqual([]);
      await onlooker.picture('passed-over');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });
});

describe('a weight', () => {
  test('is changed on the card of a replica, which says before what that moves', async () => {
    await using scene = await Scene.open();
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    await onlooker.card('server-2').locator('[data-test=weigh]').click();
    const calls: string[] = [];
    const note = (request: { url(): string }): void => void calls.push(request.url());
    await onlooker.by('weight-preview').filter({ hasText: 'No key will move' }).waitFor();
    onlooker.page.on('request', note);
    for (const no of ['0', '', '1.5', '101']) {
      await onlooker.by('weight-field').fill(no);
      expect(await onlooker.by('weight-submit').isDisabled()).toBeTrue();
      await onlooker
        .by('weight-preview')
        .filter({ hasText: 'The weight is a whole number from 1 to 100' })
        .waitFor();
    }
    onlooker.page.off('request', note);
    expect(calls.filter((url) => /plan|weights/.test(url))).toEqual([]);
    await onlooker.by('weight-field').fill('3');
    await onlooker
      .by('weight-preview')
      .filter({ hasText: /% of keys will move, all to server-2/ })
      .waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture('weight');
    await onlooker.page.keyboard.press('Enter');
    await onlooker.by('toast').filter({ hasText: 'server-2 has weight 3' }).waitFor();
    await onlooker.card('server-2').filter({ hasText: 'weight 3' }).waitFor();
    const { replicas } = (await (await fetch(`${ringmaster.url}/ring`)).json()) as {
      replicas: { name: string; weight: number }[];
    };
    expect(replicas.find(({ name }) => name === 'server-2')?.weight).toBe(3);
  });

  test('is given to one that is added by its name, and grows where replicas start slowly', async () => {
    await using scene = await Scene.open({ SLOW_START_MS: '600000' });
    const { onlooker } = scene;
    await onlooker.cards(3);
    await onlooker.by('open-add').click();
    expect(await onlooker.by('add-weight').isVisible()).toBeFalse();
    await onlooker.by('add-names').fill('heavy');
    await onlooker.by('add-weight').fill('1.5');
    await onlooker.by('add-preview').filter({ hasText: 'The weight is a whole number' }).waitFor();
    expect(await onlooker.by('add-submit').isDisabled()).toBeTrue();
    await onlooker.by('add-weight').fill('4');
    await onlooker
      .by('add-preview')
      .filter({ hasText: /5[0-9]\.\d.% of keys will move, all to heavy/ })
      .waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture('add-weight');
    await onlooker.by('add-submit').click();
    await onlooker.cards(4);
    await onlooker
      .card('heavy')
      .filter({ hasText: /starting slowly, weight \d.* of 4/ })
      .waitFor();
    await onlooker.picture('slow-start');
  });
});

describe('where keys are placed in another way than on a ring', () => {
  test.each([
    ['maglev', 'light', 1280, '65,537 slots', 'falls on slot'],
    ['rendezvous', 'dark', 390, 'an order for each key', 'has an order of its own'],
    ['course', 'light', 390, '512 slots', 'falls on slot'],
    ['nginx', 'dark', 1280, '480 points', 'the first point is'],
  ] as const)('as with %s, in the %s on %p pixels, that is said, and shares are shown', async (...row) => {
    const [hash, colorScheme, width, places, whereabouts] = row;
    await using scene = await Scene.open({ HASH: hash });
    const { onlooker } = scene;
    const { page } = onlooker;
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 900 });
    await onlooker.cards(3);
    await scene.traffic(60);
    await page.locator('#hub').filter({ hasText: places }).waitFor();
    await onlooker.by('probe-input').fill('42');
    await onlooker.by('probe-walk').filter({ hasText: whereabouts }).waitFor();
    expect(await page.locator('#lens').isVisible()).toBe(hash === 'nginx');
    expect(await onlooker.card('server-1').locator('[data-test=weigh]').isVisible()).toBe(hash !== 'course');
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture(hash);
  });
});

test('hot keys and the algorithm in the shadow are told of where there are any', async () => {
  await using scene = await Scene.open({ SHADOW_HASH: 'maglev', HOT_KEY_SPREAD: '2' });
  const { onlooker, ringmaster } = scene;
  const { page } = onlooker;
  await page.setViewportSize({ width: 390, height: 900 });
  await onlooker.cards(3);
  await onlooker.by('hot').filter({ hasText: 'No key stands out' }).waitFor();
  await scene.traffic(100);
  for (let i = 0; i < 400; i++) await (await fetch(`${ringmaster.traffic}/home?id=celebrity`)).text();
  const spread = onlooker.by('hot-key').filter({ hasText: '“celebrity”' }).filter({ hasText: ' and ' });
  await spread.waitFor();
  expect(await spread.locator('.swatch').count()).toBe(2);
  await onlooker
    .by('shadow')
    .filter({ hasText: /maglev is watched: both maps name the same owner for .* of \d+ requests/ })
    .waitFor();
  await onlooker.by('probe-input').fill('celebrity');
  await onlooker.by('probe-answer').filter({ hasText: 'It is hot, and spread over' }).waitFor();
  expect(await onlooker.violations()).toEqual([]);
  await onlooker.picture('hot-390');
  await page.setViewportSize({ width: 1280, height: 900 });
  await onlooker.picture('hot');
});

describe('a change', () => {
  test('by API is seen: who joins, who leaves, and the ring', async () => {
    await using scene = await Scene.open();
    const { onlooker } = scene;
    await onlooker.cards(3);
    await scene.change('POST', '/add', { n: 1, hostnames: ['by-api'] });
    await onlooker.card('by-api').waitFor();
    await onlooker.cards(4);
    await onlooker.page.waitForFunction(() =>
      document.querySelector('[data-test=ring]')?.getAttribute('aria-label')?.includes('by-api'),
    );
    await scene.change('DELETE', '/rm', { n: 1, hostnames: ['by-api'] });
    await onlooker.cards(3);
    await onlooker.page.locator('[data-test=event][data-what=left]').waitFor();
    await onlooker.page.waitForFunction(
      () => !document.querySelector('[data-test=ring]')?.getAttribute('aria-label')?.includes('by-api'),
    );
  });

  test('by button says before what it moves, and is done', async () => {
    await using scene = await Scene.open();
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    await onlooker.by('open-add').click();
    await onlooker.by('add-names').fill('by-button');
    await onlooker
      .by('add-preview')
      .filter({ hasText: /% of keys will move, all to by-button/ })
      .waitFor();
    await onlooker.by('add-submit').click();
    await onlooker.cards(4);
    await onlooker.by('toast').filter({ hasText: '1 replica added' }).waitFor();
    await onlooker.picture('added');
    await onlooker.card('by-button').locator('[data-test=drain]').click();
    await onlooker.by('remove-preview').filter({ hasText: '% of keys will move' }).waitFor();
    await onlooker.by('remove-submit').click();
    await onlooker.cards(3);
    expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toMatchObject({ N: 3 });
  });

  test('that is refused says why, where it was asked for, and changes nothing', async () => {
    await using scene = await Scene.open({ MAX_REPLICAS: '4' });
    const { onlooker, ringmaster } = scene;
    onlooker.expectLosses();
    await onlooker.cards(3);
    await onlooker.by('open-add').click();
    await onlooker.by('add-names').fill('server-1');
    await onlooker.by('add-submit').click();
    await onlooker.by('add-error').filter({ hasText: 'server-1' }).waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture('refused');
    await onlooker.page.keyboard.press('Escape');
    expect(await onlooker.page.evaluate(() => document.activeElement?.id)).toBe('open-add');
    expect(await (await fetch(`${ringmaster.url}/rep`)).json()).toMatchObject({ N: 3 });
  });

  test('needs the token where there is one, which the page asks for and forgets', async () => {
    await using scene = await Scene.open({ ADMIN_TOKEN: TOKEN });
    const { onlooker } = scene;
    onlooker.expectLosses();
    await onlooker.cards(3);
    await onlooker.by('open-add').click();
    await onlooker.by('preview-token').waitFor();
    await onlooker.by('add-names').fill('named');
    await onlooker.by('add-preview').filter({ hasText: 'all to named' }).waitFor();
    await onlooker.by('add-names').fill('');
    await onlooker.by('preview-token').waitFor();
    await onlooker.by('add-submit').click();
    await onlooker.by('token-field').fill('not-the-token');
    await onlooker.by('token-submit').click();
    await onlooker.by('token-error').filter({ hasText: /token/i }).waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture('token');
    await onlooker.by('token-field').fill(TOKEN);
    await onlooker.by('token-submit').click();
    await onlooker.cards(4);
    const kept = await onlooker.page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
    );
    expect(kept).toBe('[{},{}]');
  });
});

test('a Ringmaster that is still starting shows the page, which says so', async () => {
  const port = await freePort();
  const go = join(mkdtempSync(join(tmpdir(), 'ringmaster-page-')), 'go');
  const starting = spawnRingmaster({
    RUNTIME: 'process',
    PORT: String(port),
    REPLICA_COMMAND: `sh -c 'until [ -e ${go} ]; do sleep 0.1; done; exec ${process.execPath} src/replica/main.ts'`,
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(() => fetch(`${url}/heartbeat`));
  await using onlooker = await Onlooker.open(url);
  onlooker.expectLosses();
  await onlooker.news('starting');
  expect(await onlooker.violations()).toEqual([]);
  await onlooker.picture('starting');
  writeFileSync(go, '');
  await onlooker.news('live');
  await onlooker.cards(3);
  rmSync(dirname(go), { recursive: true });
  await (await starting).end('SIGTERM');
  expect(onlooker.complaints).toEqual({ errors: [], outside: [] });
});

test('a replica’s page, which has the same origin, gets no hold of it', async () => {
  await using scene = await Scene.open({
    REPLICAS: '1',
    REPLICA_COMMAND: `'${process.execPath}' tests/security/page-replica.ts`,
  });
  const { onlooker, ringmaster } = scene;
  onlooker.expectLosses();
  await onlooker.cards(1);
  const theirs = await onlooker.browser.context.newPage();
  await theirs.goto(`${ringmaster.url}/theirs`);
  expect(await theirs.title()).toBe('replica');
  const registered = await theirs.evaluate(() =>
    navigator.serviceWorker.register('/theirs.js', { scope: '/' }).then(
      () => 'registered',
      (error: Error) => error.message,
    ),
  );
  expect(registered).toContain('403');
  const opened = onlooker.browser.context.waitForEvent('page');
  await theirs.evaluate(() => void Object.assign(window, { handle: window.open('/') }));
  const page = await opened;
  await page.locator('body[data-news=live]').waitFor({ state: 'attached' });
  const seen = await theirs.evaluate(() => {
    const { handle } = window as unknown as { handle: Window | null };
    try {
      const field = handle?.closed === false ? handle.document.getElementById('token-field') : null;
      return String(field);
    } catch {
      return 'null';
    }
  });
  expect(seen).toBe('null');
});

test('a page of which a part does not come is loaded again', async () => {
  await using scene = await Scene.open({ REPLICAS: '1' });
  const { onlooker } = scene;
  const { page } = onlooker;
  onlooker.expectLosses();
  await onlooker.cards(1);
  for (const part of ['cards.js', 'main.js', 'style.css']) {
    let lost = 0;
    await page.route(`**/dashboard/${part}`, (route) =>
      lost++ === 0 ? route.abort('failed') : route.continue(),
    );
    await page.reload();
    await eventually(() => lost === 2);
    await onlooker.news('live');
    await onlooker.cards(1);
    await page.waitForFunction(() => history.state === null);
    await page.unroute(`**/dashboard/${part}`);
  }
});

test('one page too many says so', async () => {
  const ringmaster = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '1' });
  const pages = await Promise.all(Array.from({ length: LISTENERS_MAX }, () => OpenPage.open(ringmaster.url)));
  await using onlooker = await Onlooker.open(ringmaster.url);
  onlooker.expectLosses();
  await onlooker.by('state').filter({ hasText: 'Too many pages' }).waitFor();
  await pages[0]?.[Symbol.asyncDispose]();
  await onlooker.news('live');
  for (const page of pages) await page[Symbol.asyncDispose]();
  await ringmaster.end('SIGTERM');
  expect(onlooker.complaints).toEqual({ errors: [], outside: [] });
});

describe('what breaks behind its back', () => {
  test('a replica that is killed turns, and heals', async () => {
    await using scene = await Scene.open();
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    const states = await onlooker.noteStates('server-2');
    process.kill(pidOf(ringmaster, 'server-2'), 'SIGKILL');
    await onlooker.page.locator('[data-test=event][data-what=died]').waitFor();
    await onlooker.page.locator('[data-test=event][data-what=healed]').waitFor();
    await onlooker.cards(3);
    const seen = await states();
    expect(seen.length).toBeGreaterThanOrEqual(2);
    expect(seen[0]).not.toBe('ready');
    expect(seen.at(-1)).toBe('ready');
    await onlooker.picture('healed');
  });

  test('by the page’s own button, where CHAOS=1 is set', async () => {
    await using scene = await Scene.open({ CHAOS: '1', REPLICAS: '5' });
    const { onlooker } = scene;
    await onlooker.cards(5);
    for (const width of [390, 1200, 1280]) {
      await onlooker.page.setViewportSize({ width, height: 900 });
      const rows = await onlooker
        .card('server-3')
        .locator('.card-actions button')
        .evaluateAll((buttons) => buttons.map((one) => one.getBoundingClientRect().top));
      expect([width, rows.length, new Set(rows).size]).toEqual([width, 3, 1]);
    }
    await onlooker.card('server-3').locator('[data-test=kill]').click();
    await onlooker.page.locator('[data-test=event][data-what=healed]').waitFor();
    await onlooker.cards(5);
  });

  test('a replica that hangs is seen to be silent before it is off the ring', async () => {
    await using scene = await Scene.open({ HEARTBEAT_FAILURES: '100' });
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    const pid = pidOf(ringmaster, 'server-1');
    process.kill(pid, 'SIGSTOP');
    await onlooker
      .card('server-1')
      .filter({ hasText: /no answer/i })
      .waitFor();
    expect(await onlooker.card('server-1').getAttribute('data-state')).toBe('ready');
    await onlooker.card('server-1').filter({ hasText: 'Ready, silent' }).waitFor();
    await onlooker.picture('silent');
    process.kill(pid, 'SIGCONT');
    await onlooker
      .card('server-1')
      .filter({ hasNotText: /no answer/i })
      .waitFor();
  });

  test('the network: the page says so, and catches up when it is back', async () => {
    await using scene = await Scene.open();
    using link = new Link(scene.ringmaster.url);
    await using onlooker = await Onlooker.open(link.url);
    onlooker.expectLosses();
    await onlooker.cards(3);
    link.cut();
    await onlooker.browser.context.setOffline(true);
    await onlooker.news('lost');
    await scene.change('POST', '/add', { n: 1, hostnames: ['meanwhile'] });
    expect(await onlooker.card('meanwhile').count()).toBe(0);
    await onlooker.page.locator('body[data-old]').waitFor();
    expect(await onlooker.violations()).toEqual([]);
    await onlooker.picture('lost');
    await onlooker.browser.context.setOffline(false);
    link.mend();
    await onlooker.news('live');
    await onlooker.cards(4);
    await onlooker.by('timeline').filter({ hasText: 'meanwhile' }).waitFor();
    expect(onlooker.complaints).toEqual({ errors: [], outside: [] });
  });

  test('Ringmaster that stands still: what is shown is called stale', async () => {
    await using scene = await Scene.open();
    const { onlooker, ringmaster } = scene;
    await onlooker.cards(3);
    ringmaster.signal('SIGSTOP');
    await onlooker.news('stale');
    await onlooker.page.locator('body[data-old]').waitFor();
    await onlooker.picture('stale');
    ringmaster.signal('SIGCONT');
    await onlooker.news('live');
  });

  test('Ringmaster that is killed, and another in its place', async () => {
    const [port, trafficPort] = [await freePort(), await freePort()];
    const env = { PORT: String(port), TRAFFIC_PORT: String(trafficPort) };
    await using scene = await Scene.open(env);
    const { onlooker } = scene;
    onlooker.expectLosses();
    await onlooker.cards(3);
    await scene.ringmaster.end('SIGKILL');
    await onlooker.news('lost');
    const next = await spawnRingmaster({ RUNTIME: 'process', REPLICAS: '2', ...env });
    try {
      await onlooker.news('live');
      await onlooker.cards(2);
      // Of the one before nothing is left.
      expect(await onlooker.page.locator('[data-test=event]').count()).toBe(1);
    } finally {
      await next.end('SIGTERM');
    }
  });
});
