import type { Explanation } from '../fleet/explain.ts';
import type { Account } from './account.ts';
import { replyHeaders } from './headers.ts';
import type { Place } from './place.ts';

/** A reply of known length up to this is looked at once before it is passed on: most are whole by then. */
const WHOLE_REPLY_BYTES_MAX = 64 * 1024;

/** A reply that a client gets. */
export interface Passing {
  readonly reply: Response;
  readonly method: string;
  readonly requestId: string;
  /** What the client is told of where its request went, and why. */
  readonly explained: Explanation | undefined;
  readonly place: Place;
  /** Calls off what is left of the reply. */
  readonly attempt: AbortController;
  /** Called when it is whole. */
  readonly onWhole: () => void;
  /** Told how it ends. */
  readonly account: Account;
}

/**
 * The client's view of a reply. Its place is held until its body has ended. Throws where the reply breaks before any of
 * it was passed on.
 */
export async function passOn(passing: Passing): Promise<Response> {
  const { reply, method, requestId, place, explained } = passing;
  const { status, statusText } = reply;
  const headers = replyHeaders(reply.headers, place.lease.replica, requestId, explained);
  const whole = (): void => {
    passing.onWhole();
    passing.account.answered(status);
    place.release();
  };
  const respond = (body: BodyInit | null): Response => new Response(body, { status, statusText, headers });
  if (reply.body === null) {
    whole();
    // For a HEAD whose replica says no length Bun would claim one of 0 (RFC 9110, section 8.6).
    const unmeasured = method === 'HEAD' && !headers.has('content-length');
    return respond(
      unmeasured ? new ReadableStream({ pull: (to) => to.close() }, { highWaterMark: 0 }) : null,
    );
  }
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> = reply.body.getReader();
  const length = Number(headers.get('content-length') ?? Number.NaN);
  let first: Uint8Array<ArrayBuffer> | undefined;
  if (length <= WHOLE_REPLY_BYTES_MAX) {
    first = (await reader.read()).value ?? new Uint8Array();
    if (first.byteLength === length) {
      // Bun would name a type for bytes that came without one.
      whole();
      return respond(headers.has('content-type') ? first : streamOf(first));
    }
  }
  return respond(relay(reader, first, passing, whole));
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (bytes.byteLength > 0) controller.enqueue(bytes);
      controller.close();
    },
  });
}

/** Bytes that were read already, then the rest, as the client takes them. Releases the place at whichever end. */
function relay(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  first: Uint8Array | undefined,
  { reply, place, attempt, account }: Passing,
  whole: () => void,
): ReadableStream<Uint8Array> {
  const { lease } = place;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (first !== undefined && first.byteLength > 0) controller.enqueue(first);
        lease.onCut = () => {
          place.release();
          account.broke(reply.status);
          controller.error(new Error('The replica had to leave before its reply was whole'));
          attempt.abort();
        };
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          whole();
          controller.close();
        } catch (error) {
          // What fails after the client has gone is no fault of the replica's.
          if (place.held) lease.failed();
          place.release();
          account.broke(reply.status);
          // An error, not an end: the client must see that the message broke.
          controller.error(error);
        }
      },
      async cancel(reason) {
        place.release();
        account.clientGone();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
