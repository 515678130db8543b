/** A socket in front of the engine's own, so that a test can take the engine away from one Ringmaster and give it back. */
export class EngineProxy {
  readonly path = `/tmp/ringmaster-test-${process.pid}-${crypto.randomUUID().slice(0, 8)}.sock`;
  /** Called with each request before the engine has a byte of it; what it gives true for the engine never gets. */
  stops: ((request: string) => boolean) | undefined;
  readonly #open = new Set<{ end(): void }>();
  #server: { stop(force?: boolean): void } | undefined;

  get dockerHost(): string {
    return `unix://${this.path}`;
  }

  /** Lets connections through. */
  up(): void {
    const open = this.#open;
    this.#server = Bun.listen<{ engine?: Bun.Socket }>({
      unix: this.path,
      socket: {
        async open(client) {
          open.add(client);
          client.data = {};
          client.pause();
          client.data.engine = await Bun.connect({
            unix: '/var/run/docker.sock',
            socket: { data: (_, chunk) => void client.write(chunk), close: () => void client.end() },
          });
          client.resume();
        },
        data: (client, chunk) => {
          if (this.stops?.(chunk.toString('latin1')) !== true) client.data.engine?.write(chunk);
        },
        close(client) {
          open.delete(client);
          client.data.engine?.end();
        },
      },
    });
  }

  /** Ends what is connected; new connections still come through. */
  cut(): void {
    for (const one of this.#open) one.end();
  }

  /** Takes the engine away. */
  down(): void {
    this.#server?.stop(true);
    this.cut();
  }
}
