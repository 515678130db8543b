/** The least that Bun can answer JSON with: what /map_request is measured beside. Takes a port. */
Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  development: false,
  fetch: () => Response.json({ request_id: 100_000, mapped_server: 'server-1' }),
});
