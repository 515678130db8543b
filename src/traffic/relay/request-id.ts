import { latin1 } from '../http1/bytes.ts';
import { ascii, type Scratch } from './scratch.ts';

/** Names one request, in the logs of whoever passes it on. */
export interface RequestId {
  readonly text: string;
  write(to: Scratch): void;
}

/** An id that the client gave. */
export class KeptId implements RequestId {
  constructor(readonly text: string) {}

  write(to: Scratch): void {
    to.latin1(this.text);
  }
}

/** Digits of an id that differ from one request to the next. */
export const SERIAL_BYTES = 12;

/** Of one relay process: a part that no other has, and the count of its requests. */
export class MadeId implements RequestId {
  constructor(
    readonly prefix: Uint8Array,
    readonly serial: number,
  ) {}

  get text(): string {
    const { prefix, serial } = this;
    return `${latin1(prefix, 0, prefix.length)}${serial.toString(16).padStart(SERIAL_BYTES, '0')}`;
  }

  write(to: Scratch): void {
    to.all(this.prefix);
    this.writeSerial(to);
  }

  writeSerial(to: Scratch): void {
    to.hex12(this.serial);
  }
}

/** Makes ids that no other request has, here or after a restart. */
export class RequestIds {
  readonly #prefix: Uint8Array;
  #made = 0;

  constructor(random: string = crypto.randomUUID()) {
    this.#prefix = ascii(random.replaceAll('-', '').slice(0, 16));
  }

  next(): MadeId {
    return new MadeId(this.#prefix, this.#made++);
  }
}
