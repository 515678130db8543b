import { failureReply, Refusal } from './api/errors.ts';
import { ALIVE, ALIVE_TYPE } from './api/heartbeat.ts';
import { page } from './dashboard/page.ts';

/** How far Ringmaster has come. */
export type Stage = 'starting' | 'serving' | 'stopping';

/** Calls about Ringmaster itself, under whichever Host, or under none. */
const ABOUT_US = /^(?:https?:\/\/[^/?#]*)?\/(heartbeat|ready)\/?(?:[?#]|$)/;

/** The page, and what it is made of. */
const PAGE = /^(?:https?:\/\/[^/?#]*)?\/(?:dashboard\/([\w.-]+))?(?:[?#]|$)/;

/**
 * What is answered while there is no app yet, or no more: to orchestrators that Ringmaster is alive, and not ready; to a
 * browser the page, which says the same. Undefined: the request is the app's to answer, once it is there. Of a reply to
 * HEAD the platform sends the head alone.
 */
export function preface(request: Request, stage: Stage): Response | undefined {
  const { method, url } = request;
  if (stage === 'serving' || (method !== 'GET' && method !== 'HEAD')) return undefined;
  const path = ABOUT_US.exec(url)?.[1];
  if (path === 'ready') return notReady(stage);
  if (path === 'heartbeat' && stage === 'starting')
    return new Response(ALIVE, { headers: { 'content-type': ALIVE_TYPE } });
  const asked = PAGE.exec(url);
  if (asked === null || stage !== 'starting') return undefined;
  // Of what happens there is nothing to tell yet: the page asks again.
  return page.reply(asked[1] ?? 'index.html', request) ?? notReady(stage);
}

function notReady(stage: Stage): Response {
  return failureReply({ code: undefined, error: new Refusal(503, `Ringmaster is ${stage}`) });
}
