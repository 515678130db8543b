import { dlopen, FFIType, ptr } from 'bun:ffi';
import { connect, type Socket } from 'node:net';
import type { Address } from '../../../src/runtime/runtime.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const ADDRESS_BYTES = 16;
/** More connections than the kernel takes for a listener without a backlog that never accepts. */
const FILLERS = 4;

/** The listeners of Bun and of node:net have a backlog of 512, whatever they are told: the kernel is asked itself. */
const { symbols: libc } = dlopen('libc.so.6', {
  socket: { args: [FFIType.i32, FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  bind: { args: [FFIType.i32, FFIType.ptr, FFIType.u32], returns: FFIType.i32 },
  listen: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  getsockname: { args: [FFIType.i32, FFIType.ptr, FFIType.ptr], returns: FFIType.i32 },
  close: { args: [FFIType.i32], returns: FFIType.i32 },
});

/** An address that neither takes a connection nor refuses it. */
export class BlackHole implements Disposable {
  readonly address: Address;
  readonly #socket: number;
  readonly #fillers: Socket[] = [];

  constructor() {
    this.#socket = libc.socket(AF_INET, SOCK_STREAM, 0);
    const address = new DataView(new ArrayBuffer(ADDRESS_BYTES));
    address.setUint16(0, AF_INET, true);
    address.setUint32(4, 0x7f_00_00_01);
    const length = new Uint32Array([ADDRESS_BYTES]);
    if (
      this.#socket < 0 ||
      libc.bind(this.#socket, ptr(address), ADDRESS_BYTES) !== 0 ||
      libc.listen(this.#socket, 0) !== 0 ||
      libc.getsockname(this.#socket, ptr(address), ptr(length)) !== 0
    )
      throw new Error('the kernel gave no listener');
    this.address = { host: '127.0.0.1', port: address.getUint16(2) };
    for (let i = 0; i < FILLERS; i++)
      this.#fillers.push(connect(this.address.port, this.address.host).on('error', () => {}));
  }

  [Symbol.dispose](): void {
    for (const filler of this.#fillers) filler.destroy();
    libc.close(this.#socket);
  }
}
