/** Frames of WebSockets (RFC 6455, section 5.2), as few of them as tests take. */

export const TEXT = 1;
export const CLOSE = 8;
export const MASK = Uint8Array.of(1, 2, 3, 4);
export const GOING_AWAY = 1001;

/** A frame as a server sends it, or with a mask as a client does. */
export function frame(opcode: number, payload: Uint8Array, mask?: Uint8Array, fin = true): Buffer {
  const { byteLength } = payload;
  const masked = mask === undefined ? 0 : 0x80;
  const head =
    byteLength < 126
      ? Buffer.from([0, masked | byteLength])
      : byteLength < 65_536
        ? Buffer.from([0, masked | 126, byteLength >> 8, byteLength & 255])
        : Buffer.from([
            0,
            masked | 127,
            0,
            0,
            0,
            0,
            ...[24, 16, 8, 0].map((by) => (byteLength >>> by) & 255),
          ]);
  head[0] = (fin ? 0x80 : 0) | opcode;
  if (mask === undefined) return Buffer.concat([head, payload]);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ (mask[i & 3] as number))]);
}

export function closeFrame(code: number, mask?: Uint8Array): Buffer {
  return frame(CLOSE, Uint8Array.of(code >> 8, code & 255), mask);
}

/** The code of a Close frame, masked or not; undefined when the bytes are none. */
export function closeCode(bytes: Buffer): number | undefined {
  if (bytes[0] !== 0x88) return undefined;
  const masked = ((bytes[1] as number) & 0x80) !== 0;
  const length = (bytes[1] as number) & 0x7f;
  const at = masked ? 6 : 2;
  if (length < 2 || bytes.byteLength !== at + length) return undefined;
  const byte = (i: number): number => (bytes[at + i] as number) ^ (masked ? (bytes[2 + i] as number) : 0);
  return (byte(0) << 8) | byte(1);
}
