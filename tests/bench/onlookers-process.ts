/**
 * Looks on at a Ringmaster, in a process of its own: `onlookers-process.ts PORT PAGES`. Reads that many streams of the
 * page, and scrapes its metrics once a second.
 */
const [port = '', pages = '1'] = process.argv.slice(2);
const SCRAPE_INTERVAL_MS = 1000;
const AGAIN_MS = 100;

async function look(): Promise<void> {
  for (;;) {
    try {
      const reply = await fetch(`http://127.0.0.1:${port}/dashboard/stream`);
      for await (const _ of reply.body ?? []);
    } catch {
      // It is ending, or has not begun.
    }
    await Bun.sleep(AGAIN_MS);
  }
}

for (let i = 0; i < Number(pages); i++) void look();
setInterval(
  () =>
    void fetch(`http://127.0.0.1:${port}/metrics`).then(
      (reply) => reply.text(),
      () => '',
    ),
  SCRAPE_INTERVAL_MS,
);
