import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { openBrowser, type Browser } from '../browser.ts';

/** Pictures of each state that was seen; kept, since some of it only an eye can judge. */
const PICTURES = new URL('../../test-output/page/', import.meta.url);
const NETWORK_CHANGED = 'net::ERR_NETWORK_CHANGED';
/** The browser's own page on an error, which may come in only when the next attempt is under way, and ends that. */
const ERROR_PAGE = 'interrupted by another navigation to "chrome-error:';
const AXE = fileURLToPath(import.meta.resolve('axe-core/axe.min.js'));

/** What the browser complained of: there is to be none of it. */
export interface Complaints {
  readonly errors: string[];
  /** Requests to any host but Ringmaster's. */
  readonly outside: string[];
}

/** Somebody who looks at the page in a real browser. */
export class Onlooker implements AsyncDisposable {
  readonly complaints: Complaints = { errors: [], outside: [] };

  private constructor(
    readonly browser: Browser,
    readonly page: Page,
    readonly url: string,
  ) {}

  static async open(url: string): Promise<Onlooker> {
    const browser = await openBrowser();
    const page = await browser.context.newPage();
    const onlooker = new Onlooker(browser, page, url);
    await onlooker.#watch();
    // The browser gives up what it is loading when this machine's network changes, as other suites have it do.
    for (;;) {
      const failed = await page.goto(url).then(
        () => undefined,
        (error: Error) => error,
      );
      if (failed === undefined) break;
      const isPassing = [NETWORK_CHANGED, ERROR_PAGE].some((one) => failed.message.includes(one));
      if (!isPassing) throw failed;
    }
    return onlooker;
  }

  /** Errors of the console from here on are expected: a connection is about to be lost. */
  expectLosses(): void {
    this.complaints.errors.length = 0;
    this.#lossesExpected = true;
  }
  #lossesExpected = false;

  by(test: string): ReturnType<Page['locator']> {
    return this.page.locator(`[data-test=${test}]`);
  }

  card(name: string): ReturnType<Page['locator']> {
    return this.page.locator(`[data-test=card][data-replica="${name}"]`);
  }

  /** Resolves when the page says of itself that. */
  async news(news: 'live' | 'stale' | 'lost' | 'starting' | 'connecting'): Promise<void> {
    await this.page.locator(`body[data-news=${news}]`).waitFor({ state: 'attached' });
  }

  /** Resolves when there are so many cards, all of them in that state. */
  async cards(count: number, state = 'ready'): Promise<void> {
    await this.page.waitForFunction(
      ([n, wanted]) => {
        const cards = [...document.querySelectorAll('[data-test=card]')];
        return cards.length === n && cards.every((card) => card.getAttribute('data-state') === wanted);
      },
      [count, state] as const,
    );
  }

  /** Each state of the card from now on, in order. */
  async noteStates(name: string): Promise<() => Promise<string[]>> {
    const key = `states of ${name}`;
    await this.page.evaluate(
      ([replica, at]) => {
        const card = document.querySelector(`[data-test=card][data-replica="${replica}"]`) as Element;
        const states: string[] = [];
        Object.assign(window, { [at]: states });
        new MutationObserver(() => {
          const state = card.getAttribute('data-state') ?? '';
          if (states.at(-1) !== state) states.push(state);
        }).observe(card, { attributes: true, attributeFilter: ['data-state'] });
      },
      [name, key] as const,
    );
    return () => this.page.evaluate((at) => (window as unknown as Record<string, string[]>)[at] ?? [], key);
  }

  async picture(name: string): Promise<void> {
    await mkdir(PICTURES, { recursive: true });
    await this.page.screenshot({
      path: fileURLToPath(new URL(`${name}.png`, PICTURES)),
      fullPage: true,
      animations: 'disabled',
    });
  }

  /** What axe finds wrong for those who can't see or use a mouse. */
  async violations(): Promise<string[]> {
    // The page's own policy forbids what is put into it from outside: the debugger is above that.
    await this.page.evaluate(await Bun.file(AXE).text());
    return this.page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: {
          run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>;
        };
      };
      const { violations } = await axe.run();
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
  }

  async #watch(): Promise<void> {
    const { page, complaints, url } = this;
    page.on('console', (message) => {
      // Nothing that the page could do about it, but to load what is missing again.
      if (message.text().includes(NETWORK_CHANGED)) return;
      const lost = /net::ERR_|Failed to load resource/.test(message.text());
      if (message.type() === 'error' && !(lost && this.#lossesExpected))
        complaints.errors.push(message.text());
    });
    page.on('pageerror', (error) => complaints.errors.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) complaints.outside.push(request.url());
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        // oxlint-disable-next-line no-console -- how a page speaks to its test
        console.error(`policy violated: ${violatedDirective} ${blockedURI}`);
      });
    });
  }
}
