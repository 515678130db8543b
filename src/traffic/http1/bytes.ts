/** What a byte may stand for in an HTTP/1.1 message (RFC 9110, section 5; RFC 9112, section 2). */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COMMA = 0x2c;
export const COLON = 0x3a;

/** tchar: methods and field names. */
export const TOKEN = 1;
/** Of a request target: visible ASCII but for "#", since a fragment is never sent (RFC 9112, section 3.2). */
export const TARGET = 2;
/** Of a field value or a reason phrase: visible, obs-text, space and tab. No control character, DEL included. */
export const VALUE = 4;
/** Of a registered name or an IPv4 address in Host: unreserved and percent-encoded (RFC 3986, section 3.2.2). */
export const REG_NAME = 8;
export const DIGIT = 16;
export const HEX = 32;

/** For each byte the sum of what it may be. */
export const CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte);
  return (
    (/[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(char) ? TOKEN : 0) |
    (byte > SP && byte < 0x7f && char !== '#' ? TARGET : 0) |
    ((byte >= SP && byte !== 0x7f) || byte === HTAB ? VALUE : 0) |
    (/[A-Za-z0-9._~%-]/.test(char) ? REG_NAME : 0) |
    (/\d/.test(char) ? DIGIT : 0) |
    (/[0-9A-Fa-f]/.test(char) ? HEX : 0)
  );
});

/** Whether bytes from `start` to `end` spell `lower`, without regard to case. `lower` is ASCII without capitals. */
export function spells(bytes: Uint8Array, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[start + i] as number;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/** The bytes as text, one character each. What a socket gives is a Buffer, which has a fast way. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (bytes instanceof Buffer) return bytes.toString('latin1', start, end);
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** Whether there is a control character that no line of a head has inside; a head that lacks its end need not be read again before one comes. */
export function hasControl(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (((CLASS[bytes[i] as number] as number) & VALUE) === 0) return true;
  return false;
}
