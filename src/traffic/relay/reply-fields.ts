import type { Explanation } from '../../fleet/explain.ts';
import { EXPLAINED, explainedFields } from '../explained.ts';
import { spells } from '../http1/bytes.ts';
import { FIELD, isPassed, VIA } from '../http1/fields.ts';
import type { HeadFields } from '../http1/head.ts';
import type { ReplyHead } from '../http1/reply-head.ts';
import { isNamed, RUN, writeUpgrade } from './request-fields.ts';
import type { RequestId } from './request-id.ts';
import { ascii, type Scratch } from './scratch.ts';

const VERSION = ascii('HTTP/1.1 ');
const CR_LF = ascii('\r\n');
const SPACE = ascii(' ');
const CHUNKED = ascii('Transfer-Encoding: chunked\r\n');
const CLOSE = ascii('Connection: close\r\n');
const KEEP_ALIVE = ascii('Connection: keep-alive\r\n');
const VIA_AND_SERVED_BY = ascii(`Via: ${VIA}\r\nx-served-by: `);
const AND_REQUEST_ID = ascii('\r\nX-Request-Id: ');
const END = ascii('\r\n\r\n');

const SWITCHING_PROTOCOLS = 101;
const UPGRADE_REQUIRED = 426;
const NO_CONTENT = 204;

export interface ReplyFrame {
  readonly replica: string;
  readonly requestId: RequestId;
  /** The Date field with the time as in RFC 9110, section 5.6.7, for replies without one (section 6.6.1). */
  readonly date: Uint8Array;
  readonly chunked: boolean;
  /** What the Connection field says; none where HTTP/1.1 takes it for granted. */
  readonly connection: 'close' | 'keep-alive' | 'none';
  /** What the client is told of where its request went and why; what a replica says of that is dropped. */
  readonly explained?: Explanation | undefined;
}

/** Writes what a client gets to see of a reply: the replica's fields in their order, less those of this hop, plus ours. */
export function writeReplyHead(to: Scratch, head: ReplyHead, frame: ReplyFrame): void {
  const { fields, status } = head;
  const { explained } = frame;
  const { bytes } = fields;
  to.all(VERSION);
  to.span(bytes, head.statusStart, head.statusStart + 3);
  to.all(SPACE);
  to.span(bytes, head.reasonStart, head.reasonEnd);
  to.all(CR_LF);
  // They must have no length (RFC 9110, section 8.6), and there may be clients that believe it.
  const bodiless = status < 200 || status === NO_CONTENT;
  const run = RUN;
  run.begin(to, bytes);
  for (let field = 0; field < fields.count; field++) {
    const code = fields.code(field);
    if (code === FIELD.contentLength && bodiless) continue;
    if (code !== FIELD.other && (!isPassed(code) || code === FIELD.xServedBy)) continue;
    if (code !== FIELD.contentLength && isNamed(fields, field)) continue;
    if (code === FIELD.other && isExplained(fields, field)) continue;
    run.add(fields, field);
  }
  run.end();
  if (status >= 200) {
    if (frame.chunked) to.all(CHUNKED);
    if (!fields.hasDate || fields.named.includes('date')) to.all(frame.date);
  }
  if ((status === SWITCHING_PROTOCOLS || status === UPGRADE_REQUIRED) && fields.upgrade >= 0)
    writeUpgrade(to, fields.protocols());
  if (frame.connection === 'close') to.all(CLOSE);
  else if (frame.connection === 'keep-alive') to.all(KEEP_ALIVE);
  to.all(VIA_AND_SERVED_BY);
  to.latin1(frame.replica);
  if (fields.requestId === -1 || (fields.requestId >= 0 && isNamed(fields, fields.requestId))) {
    to.all(AND_REQUEST_ID);
    frame.requestId.write(to);
  }
  if (explained !== undefined)
    for (const [name, value] of explainedFields(explained)) to.latin1(`\r\n${name}: ${value}`);
  to.all(END);
}

function isExplained(fields: HeadFields, field: number): boolean {
  const [start, end] = [fields.nameStart(field), fields.nameEnd(field)];
  return EXPLAINED.some((name) => spells(fields.bytes, start, end, name));
}
