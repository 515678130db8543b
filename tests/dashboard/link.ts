interface End {
  other: Bun.Socket<End> | undefined;
  /** What came before the other end was there. */
  early: Buffer[];
}

/** The way between a browser and Ringmaster, which a test can cut. */
export class Link implements Disposable {
  readonly #to: number;
  readonly #open = new Set<Bun.Socket<End>>();
  readonly #port: number;
  #listener: Bun.TCPSocketListener<End> | undefined;

  constructor(url: string) {
    this.#to = Number(new URL(url).port);
    this.#port = this.#listen(0);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  cut(): void {
    this.#listener?.stop(true);
    this.#listener = undefined;
    for (const socket of this.#open) socket.terminate();
  }

  mend(): void {
    this.#listen(this.#port);
  }

  [Symbol.dispose](): void {
    this.cut();
  }

  #listen(port: number): number {
    const [open, to] = [this.#open, this.#to];
    const passOn = (socket: Bun.Socket<End>, bytes: Buffer): void => {
      if (socket.data.other === undefined) socket.data.early.push(Buffer.from(bytes));
      else socket.data.other.write(bytes);
    };
    const close = (socket: Bun.Socket<End>): void => {
      open.delete(socket);
      socket.data.other?.end();
    };
    this.#listener = Bun.listen<End>({
      hostname: '127.0.0.1',
      port,
      socket: {
        async open(client) {
          client.data = { other: undefined, early: [] };
          open.add(client);
          client.data.other = await Bun.connect<End>({
            hostname: '127.0.0.1',
            port: to,
            data: { other: client, early: [] },
            socket: { data: passOn, close },
          });
          for (const bytes of client.data.early.splice(0)) client.data.other.write(bytes);
        },
        data: passOn,
        close,
      },
    });
    return this.#listener.port;
  }
}
