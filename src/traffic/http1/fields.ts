/** The fields that a relay has to know of; any other passes untouched. */
export const FIELD = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  proxyConnection: 6,
  proxyAuthenticate: 7,
  proxyAuthorization: 8,
  te: 9,
  trailer: 10,
  upgrade: 11,
  expect: 12,
  via: 13,
  forwarded: 14,
  xForwardedFor: 15,
  xForwardedHost: 16,
  xForwardedProto: 17,
  /** Any other that begins with x-forwarded-. */
  xForwardedOther: 18,
  xRealIp: 19,
  xRequestId: 20,
  xServedBy: 21,
  date: 22,
  maxForwards: 23,
  /** A wish to be told why the request goes where it goes; see explained.ts. */
  explain: 24,
  /** One of those above, written with "_" for "-": servers that make variables of field names can't tell them apart. */
  confusable: 25,
} as const;

export type FieldCode = (typeof FIELD)[keyof typeof FIELD];

const NAMES: Readonly<Record<string, FieldCode>> = {
  host: FIELD.host,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  connection: FIELD.connection,
  'keep-alive': FIELD.keepAlive,
  'proxy-connection': FIELD.proxyConnection,
  'proxy-authenticate': FIELD.proxyAuthenticate,
  'proxy-authorization': FIELD.proxyAuthorization,
  te: FIELD.te,
  trailer: FIELD.trailer,
  upgrade: FIELD.upgrade,
  expect: FIELD.expect,
  via: FIELD.via,
  forwarded: FIELD.forwarded,
  'x-forwarded-for': FIELD.xForwardedFor,
  'x-forwarded-host': FIELD.xForwardedHost,
  'x-forwarded-proto': FIELD.xForwardedProto,
  'x-real-ip': FIELD.xRealIp,
  'x-request-id': FIELD.xRequestId,
  'x-served-by': FIELD.xServedBy,
  date: FIELD.date,
  'max-forwards': FIELD.maxForwards,
  'x-ringmaster-explain': FIELD.explain,
};

interface Known {
  readonly name: string;
  readonly code: FieldCode;
}

const FORWARDED_PREFIX = 'x-forwarded-';
const X = 0x78;

/** By length and first letter: at most one known name has both, so that most fields are told apart by one look. */
const KNOWN: readonly (Known | undefined)[] = (() => {
  const slots: (Known | undefined)[] = Array.from({ length: 1024 }, () => undefined);
  for (const [name, code] of Object.entries(NAMES)) {
    const slot = slotOf(name.length, name.charCodeAt(0));
    if (slots[slot] !== undefined) throw new Error(`Field table: ${name} shares its slot`);
    slots[slot] = { name, code };
  }
  return slots;
})();

function slotOf(length: number, first: number): number {
  return ((length & 31) << 5) | (first & 31);
}

/** Which field a name is that a parser has found to be a token. */
export function fieldCode(bytes: Uint8Array, start: number, end: number): FieldCode {
  const first = bytes[start] as number;
  const known = KNOWN[slotOf(end - start, first)];
  if (known !== undefined && known.name.length === end - start) {
    const likeness = compare(bytes, start, known.name);
    if (likeness !== 'different') return likeness === 'same' ? known.code : FIELD.confusable;
  }
  if ((first | 0x20) === X && end - start > FORWARDED_PREFIX.length) {
    const likeness = compare(bytes, start, FORWARDED_PREFIX);
    if (likeness !== 'different') return likeness === 'same' ? FIELD.xForwardedOther : FIELD.confusable;
  }
  return FIELD.other;
}

function compare(bytes: Uint8Array, start: number, name: string): 'same' | 'confusable' | 'different' {
  let confusable = false;
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i] as number;
    const expected = name.charCodeAt(i);
    if (byte === expected || (byte >= 0x41 && byte <= 0x5a && (byte | 0x20) === expected)) continue;
    if (byte !== 0x5f || expected !== 0x2d) return 'different';
    confusable = true;
  }
  return confusable ? 'confusable' : 'same';
}

/** A number, since it is asked for each field: bit `code` is set. */
function setOf(...codes: readonly FieldCode[]): number {
  return codes.reduce<number>((set, code) => set | (1 << code), 0);
}

/**
 * Fields that speak of one connection (RFC 9110, section 7.6.1, and those of RFC 2616, section 13.5.1, that are still
 * sent), or that the relay writes anew.
 */
const NEVER_PASSED = setOf(
  FIELD.connection,
  FIELD.keepAlive,
  FIELD.proxyConnection,
  FIELD.proxyAuthenticate,
  FIELD.proxyAuthorization,
  FIELD.te,
  FIELD.transferEncoding,
  FIELD.upgrade,
  FIELD.explain,
  FIELD.confusable,
);

/** By these a client would tell where it came from, to replicas that believe them. */
const CLAIMS_OF_ORIGIN = setOf(
  FIELD.forwarded,
  FIELD.xForwardedFor,
  FIELD.xForwardedHost,
  FIELD.xForwardedProto,
  FIELD.xForwardedOther,
  FIELD.xRealIp,
);

/** Trailers must not say what a recipient needs before the body, or has decided by then (RFC 9110, section 6.5.1). */
const FORBIDDEN_IN_TRAILERS =
  /^(?:host|content-length|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|via|forwarded|x-forwarded-.*|x-real-ip|x-request-id|x-served-by|x-ringmaster-.*|date|proxy-.*|authorization|www-authenticate|cookie|set-cookie|cache-control|max-forwards|pragma|range|content-(?:encoding|type|range)|if-.*|age|expires|location|retry-after|vary|warning)$/;

export function isPassed(code: FieldCode): boolean {
  return ((NEVER_PASSED >> code) & 1) === 0;
}

export function claimsOrigin(code: FieldCode): boolean {
  return ((CLAIMS_OF_ORIGIN >> code) & 1) === 1;
}

/** `name` as it came; "_" is read as "-". */
export function isForbiddenInTrailers(name: string): boolean {
  return FORBIDDEN_IN_TRAILERS.test(name.toLowerCase().replaceAll('_', '-'));
}

/** What Via says of us (RFC 9110, section 7.6.3). */
export const VIA = '1.1 ringmaster';

/** A client's X-Request-Id is kept up to this; a longer one is not meant for logs. */
export const REQUEST_ID_BYTES_MAX = 128;
