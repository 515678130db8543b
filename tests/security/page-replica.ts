/** A replica that serves a page. */
Bun.serve({
  hostname: process.env['HOST'] ?? '127.0.0.1',
  port: Number(process.env['PORT']),
  fetch: () =>
    new Response('<!doctype html><title>replica</title>', { headers: { 'content-type': 'text/html' } }),
});
