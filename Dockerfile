# Balancer and sample replica in one image: `bun src/main.ts` and `bun src/replica/main.ts`.
FROM oven/bun:1.4.5-slim AS dependencies
WORKDIR /home/bun/app
COPY package.json bun.lock ca.cr[t] ./
# Behind a proxy that inspects TLS, the proxy's own certificate authority comes as a build secret, or as ca.crt where
# Ringmaster builds the image itself. Neither is in the image: only node_modules leaves this stage.
RUN --mount=type=secret,id=ca \
    for authority in /run/secrets/ca "$PWD/ca.crt"; do \
      if [ -s "$authority" ]; then export NODE_EXTRA_CA_CERTS="$authority"; fi; \
    done; \
    bun install --frozen-lockfile --production --ignore-scripts --no-progress; \
    # What only a developer reads is a third of it.
    find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.md' \) -delete

FROM oven/bun:1.4.5-slim
WORKDIR /home/bun/app
ENV NODE_ENV=production BUN_CONFIG_MAX_HTTP_REQUESTS=16384
COPY --from=dependencies /home/bun/app/node_modules node_modules
COPY package.json ./
COPY src src
USER bun
EXPOSE 5000 8080
# Whether it is ready, for who waits for that. Replicas, which are made of this image too, have it turned off; and where
# who is not healthy gets killed, as in a Swarm, /heartbeat is what to ask: an engine that is away is no reason to die.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
  CMD ["bun", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORT || 5000}/ready`)).ok ? 0 : 1)"]
STOPSIGNAL SIGTERM
CMD ["bun", "src/main.ts"]
