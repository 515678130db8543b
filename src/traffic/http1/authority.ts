import { isIPv6 } from 'node:net';
import { CLASS, DIGIT, HEX, REG_NAME, latin1 } from './bytes.ts';

const COLON = 0x3a;
const PERCENT = 0x25;
const OPENING = 0x5b;
const CLOSING = 0x5d;
const PORT_MAX = 65_535;

/**
 * Whether the bytes are `host [":" port]` (RFC 9110, section 7.2): a name or an IPv4 address, or an IPv6 address in
 * brackets. Narrower than RFC 3986 in two ways: no user information, which Host does not have, and none of the
 * sub-delimiters, which no name has that can be looked up, and by which "a,b" would be one host here and two elsewhere.
 * Nor is a zone part of an address, though `isIPv6` has it: it means something on one machine only (RFC 6874).
 */
export function isAuthority(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  if (bytes[at] === OPENING && at < end) {
    while (at < end && bytes[at] !== CLOSING) at++;
    if (at >= end || !isAddress(latin1(bytes, start + 1, at))) return false;
    at++;
  } else {
    while (at < end && ((CLASS[bytes[at] as number] as number) & REG_NAME) !== 0) {
      if (bytes[at] === PERCENT && !isEncoded(bytes, at, end)) return false;
      at++;
    }
    if (at === start) return false;
  }
  if (at === end) return true;
  return bytes[at] === COLON && isPort(bytes, at + 1, end);
}

function isAddress(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isEncoded(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    at + 2 < end &&
    ((CLASS[bytes[at + 1] as number] as number) & HEX) !== 0 &&
    ((CLASS[bytes[at + 2] as number] as number) & HEX) !== 0
  );
}

/** An empty port is the default one (RFC 3986, section 3.2.3). */
function isPort(bytes: Uint8Array, start: number, end: number): boolean {
  let port = 0;
  for (let at = start; at < end; at++) {
    if (((CLASS[bytes[at] as number] as number) & DIGIT) === 0) return false;
    port = port * 10 + ((bytes[at] as number) - 0x30);
    if (port > PORT_MAX) return false;
  }
  return true;
}
