/** One whole HTTP/1.1 reply to a GET, as a caller that checks it needs it. */
export interface Reply {
  readonly status: number;
  readonly bodyBytes: number;
  /** All that it takes of the text, head and framing included. */
  readonly bytes: number;
  /** Whether the connection ends with it. */
  readonly closes: boolean;
}

/** What came is no reply whose end can be found. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
}

/**
 * The reply at the beginning of `text`, one character to a byte; undefined while it is not whole. Small on purpose: a
 * load that costs more than what it measures measures itself. Throws ReplyError.
 */
export function readReply(text: string): Reply | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd + 2);
  const status = /^HTTP\/1\.1 (\d{3})[ \r]/.exec(head)?.[1];
  if (status === undefined) throw new ReplyError(`no status line: ${JSON.stringify(head.slice(0, 40))}`);
  const start = headEnd + 4;
  const length = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r\n/i.exec(head)?.[1];
  const chunked = /\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n/i.test(head);
  if ((length === undefined) !== chunked) throw new ReplyError('neither a length nor chunks, or both');
  const body =
    length === undefined
      ? readChunks(text, start)
      : { bodyBytes: Number(length), end: start + Number(length) };
  if (body === undefined || body.end > text.length) return undefined;
  return {
    status: Number(status),
    bodyBytes: body.bodyBytes,
    bytes: body.end,
    closes: /\r\nconnection:[ \t]*close[ \t]*\r\n/i.test(head),
  };
}

function readChunks(text: string, start: number): { bodyBytes: number; end: number } | undefined {
  let bodyBytes = 0;
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = /^[0-9a-f]{1,8}(?=;|$)/i.exec(text.slice(at, lineEnd))?.[0];
    if (size === undefined) throw new ReplyError('a chunk without a size');
    const bytes = Number.parseInt(size, 16);
    at = lineEnd + 2;
    if (bytes === 0) break;
    bodyBytes += bytes;
    at += bytes + 2;
    if (at > text.length) return undefined;
    if (text.slice(at - 2, at) !== '\r\n') throw new ReplyError('a chunk longer than its size');
  }
  // Trailers, each a line, and an empty one at the end.
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const empty = lineEnd === at;
    at = lineEnd + 2;
    if (empty) return { bodyBytes, end: at };
  }
}
