import { failureReply, Refusal } from './api/errors.ts';
import { ALIVE, ALIVE_TYPE } from './api/heartbeat.ts';

/** How far Ringmaster has come. */
export type Stage = 'starting' | 'serving' | 'stopping';

/** Calls about Ringmaster itself, under whichever Host, or under none. */
const ABOUT_US = /^(?:https?:\/\/[^/?#]*)?\/(heartbeat|ready)\/?(?:[?#]|$)/;

/**
 * What orchestrators are told while there is no app yet, or no more: that Ringmaster is alive, and not ready. Undefined:
 * the request is the app's to answer, once it is there. Of a reply to HEAD the platform sends the head alone.
 */
export function preface(
  { method, url }: Pick<Request, 'method' | 'url'>,
  stage: Stage,
): Response | undefined {
  if (stage === 'serving' || (method !== 'GET' && method !== 'HEAD')) return undefined;
  const path = ABOUT_US.exec(url)?.[1];
  if (path === 'ready')
    return failureReply({ code: undefined, error: new Refusal(503, `Ringmaster is ${stage}`) });
  if (path === 'heartbeat' && stage === 'starting')
    return new Response(ALIVE, { headers: { 'content-type': ALIVE_TYPE } });
  return undefined;
}
