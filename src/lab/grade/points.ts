import { failureOf, membersOf, TOO_MANY_NAMES_ADD, TOO_MANY_NAMES_RM } from '../contract.ts';
import {
  adds,
  addsNoTwins,
  BAD_COUNTS,
  namesMadeUp,
  refuses,
  removes,
  survivesBadJson,
  unlisted,
  withTwo,
} from './changes.ts';
import {
  addMoves,
  addUnderLoad,
  asksIds,
  greetersListed,
  homeGreets,
  idsSpread,
  keysReturn,
  mapAgrees,
  removedIsSilent,
  rmMoves,
  sameIdSameServer,
} from './keys.ts';
import { notTried, pass, type Outcome } from './outcome.ts';
import { isClientError, saysFailure, told } from './replies.ts';
import type { Scene } from './scene.ts';

/** One thing that the contract asks for. */
export interface Point {
  readonly id: string;
  readonly asks: string;
  readonly why: string;
  readonly run: (scene: Scene) => Promise<Outcome>;
}

/** In the order in which they are tried: what only reads comes first, so that it sees the fleet as it was. */
export const POINTS: readonly Point[] = [
  {
    id: 'rep',
    asks: 'GET /rep lists the servers, with N as their number',
    why: 'Everything else is checked by it: who is in, and whether a call has changed that.',
    run: (scene) => Promise.resolve(listed(scene)),
  },
  {
    id: 'home',
    asks: 'GET /home answers "Hello from Server: NAME", status successful, through the balancer',
    why: 'A balancer that does not hand requests on balances nothing; NAME tells which server did the work.',
    run: homeGreets,
  },
  {
    id: 'heartbeat',
    asks: 'GET /heartbeat answers 200',
    why: 'It is how a balancer learns that a server is dead, and how you learn it of the balancer.',
    run: async (scene) => {
      const came = await scene.call('/heartbeat');
      return came.ok && came.status === 200 ? pass('200') : scene.fail(told(came));
    },
  },
  {
    id: 'same-id',
    asks: 'Requests with the same id go to the same server',
    why: 'It is what hashing is for: a server that sees a key again has its data at hand.',
    run: (scene) => withTwo(scene, sameIdSameServer),
  },
  {
    id: 'home-listed',
    asks: 'Who answers GET /home is a server that /rep lists',
    why: 'A server that nobody knows of is checked, replaced and removed by nobody.',
    run: (scene) => withTwo(scene, greetersListed),
  },
  {
    id: 'spread',
    asks: 'Different ids go to different servers',
    why: 'If one server gets everything, the others cost money and do nothing.',
    run: (scene) => withTwo(scene, idsSpread),
  },
  {
    id: 'map-request',
    asks: 'GET /map_request?id=42, where there is one, names the server that answers /home?id=42',
    why: 'An extension that is not asked of everyone; one that says something else than what happens misleads.',
    run: mapAgrees,
  },
  {
    id: 'unknown-path',
    asks: 'GET of a path that nobody has answers 4xx',
    why: 'A 200 or 500 for what does not exist hides mistakes of the caller.',
    run: async (scene) => {
      const came = await scene.call('/no-such-endpoint');
      if (came.ok && came.status >= 400) scene.note('GET /no-such-endpoint', came);
      if (came.ok && isClientError(came.status)) return pass(String(came.status));
      return scene.fail(told(came), saysFailure(came) ? { shows: 'refuse by status' } : {});
    },
  },
  {
    id: 'add-names',
    asks: 'POST /add with n=2 and two hostnames adds these two',
    why: 'Scaling out by hand, with names that you know.',
    run: (scene) => adds(scene, 2, 2, { shows: 'add by name' }),
  },
  {
    id: 'add-no-names',
    asks: 'POST /add with n=1 and no hostnames adds one with a name that is made up',
    why: 'Most who scale do not care for names.',
    run: (scene) => adds(scene, 1, 0, { needs: ['add by name'], shows: 'make up names' }),
  },
  {
    id: 'add-fewer-names',
    asks: 'POST /add with n=2 and one hostname adds it, and one with a name that is made up',
    why: 'The assignment lets hostnames be fewer than n: the rest are for the balancer to name.',
    run: (scene) => adds(scene, 2, 1, { needs: ['add by name', 'make up names'] }),
  },
  {
    id: 'add-too-many-names',
    asks: `POST /add with more hostnames than n answers 400 "${TOO_MANY_NAMES_ADD}", and adds none`,
    why: 'It is not clear which of the names are meant, so that none may be taken; the text is part of the contract.',
    run: (scene) =>
      refuses(scene, {
        method: 'add',
        bodies: [{ n: 1, hostnames: scene.freshNames(2) }],
        text: TOO_MANY_NAMES_ADD,
      }),
  },
  {
    id: 'add-bad-n',
    asks: 'POST /add without n, with n=-1 and with n="two" answers 4xx, and adds none',
    why: 'What is not understood must not be guessed: the caller has made a mistake and has to be told.',
    run: (scene) => refuses(scene, { method: 'add', bodies: BAD_COUNTS }),
  },
  {
    id: 'add-duplicates',
    asks: 'POST /add with a name twice, or with one that is taken, answers 4xx, or makes up another name: no two are the same',
    why: 'Two servers of one name can not be told apart, neither by you nor by the hash function.',
    run: addsNoTwins,
  },
  {
    id: 'rm-names',
    asks: 'DELETE /rm with n=1 and its hostname removes that one, and no other',
    why: 'Who takes a machine out of service means that machine.',
    run: (scene) => removes(scene, 1),
  },
  {
    id: 'rm-no-names',
    asks: 'DELETE /rm with n=1 and no hostnames removes one',
    why: 'Scaling in, where it does not matter which one goes.',
    run: (scene) => removes(scene, 0),
  },
  {
    id: 'rm-too-many-names',
    asks: `DELETE /rm with more hostnames than n answers 400 "${TOO_MANY_NAMES_RM}", and removes none`,
    why: 'It is not clear which of the names are meant; the text is part of the contract.',
    run: (scene) =>
      withTwo(scene, (_, names) =>
        refuses(scene, {
          method: 'rm',
          bodies: [{ n: 1, hostnames: names.slice(0, 2) }],
          text: TOO_MANY_NAMES_RM,
        }),
      ),
  },
  {
    id: 'rm-bad-n',
    asks: 'DELETE /rm without n, with n=-1 and with n="two" answers 4xx, and removes none',
    why: 'A guess here takes servers away.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: BAD_COUNTS }),
  },
  {
    id: 'rm-unknown',
    asks: 'DELETE /rm of a name that nobody has answers 4xx, and removes none',
    why: 'Who misspells a name must not lose another server.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: [{ n: 1, hostnames: scene.freshNames(1) }] }),
  },
  {
    id: 'rm-too-many',
    asks: 'DELETE /rm of more servers than there are answers 4xx, and removes none',
    why: 'All or nothing: half of a change is a state that nobody asked for.',
    run: async (scene) => {
      const names = await scene.names();
      if (names === undefined) return unlisted(scene);
      return refuses(scene, { method: 'rm', bodies: [{ n: names.length + 1, hostnames: [] }] });
    },
  },
  {
    id: 'made-up-names',
    asks: 'Names that are made up are none that are taken: after /add of two, /rm of one of them, and /add of one',
    why: 'A name made of the number of servers is taken again as soon as one in the middle has left.',
    run: namesMadeUp,
  },
  {
    id: 'add-under-load',
    asks: 'Requests that come while a server joins are all answered',
    why: 'A server may get its first request only when it listens.',
    run: addUnderLoad,
  },
  {
    id: 'rm-ends',
    asks: 'After /rm a server answers no more requests, and others answer in its place',
    why: 'Who takes a machine out of service is about to switch it off.',
    run: (scene) => withTwo(scene, removedIsSilent),
  },
  {
    id: 'add-moves',
    asks: 'After /add of one, keys move only to the new server, about 1 in N + 1 of them',
    why: 'It is what consistent hashing is for: with a modulo nearly all keys move, and every cache is cold at once.',
    run: (scene) => asksIds(scene, addMoves),
  },
  {
    id: 'rm-moves',
    asks: 'After /rm of one, the keys of those that stay do not move',
    why: 'Only who has lost its server has to find another.',
    run: (scene) => asksIds(scene, rmMoves),
  },
  {
    id: 'keys-return',
    asks: 'After /add and /rm of the same server every key is back where it was',
    why: 'The map depends on who is in, and not on what happened before: two balancers then agree.',
    run: (scene) => asksIds(scene, keysReturn),
  },
  {
    id: 'errors',
    asks: 'Every error is JSON with "status":"failure" and a message',
    why: 'Programs read errors too; a page of HTML or a stack trace tells them nothing.',
    run: (scene) => Promise.resolve(errorsAreJson(scene)),
  },
  {
    id: 'bad-json',
    asks: 'POST /add and DELETE /rm with a body that is no JSON answer 4xx, and the balancer goes on',
    why: 'A slip of one caller must not be the end of service for all others.',
    run: survivesBadJson,
  },
];

function listed(scene: Scene): Outcome {
  const came = scene.rep;
  const members = came.ok && came.status === 200 ? membersOf(came.text) : undefined;
  if (members === undefined)
    return scene.fail(`no list of servers: ${told(came)}`, { shows: 'list servers' });
  const { count, names, flaw } = members;
  if (flaw !== undefined) return scene.fail(`${flaw}: ${told(came)}`, { shows: 'count servers' });
  if (count !== names.length)
    return scene.fail(`N is ${count}, with ${names.length} replicas listed`, { shows: 'count servers' });
  if (new Set(names).size !== names.length) return scene.fail(`a name comes twice: ${names.join(', ')}`);
  return pass(`N is ${count}: ${names.join(', ')}`);
}

function errorsAreJson(scene: Scene): Outcome {
  const { refused } = scene;
  if (refused.length === 0) return notTried('no call was refused');
  const bad = refused.find(({ text }) => failureOf(text) === undefined);
  return bad === undefined
    ? pass(`${refused.length} errors, all of that form`)
    : scene.fail(`${bad.what}: ${bad.text || 'an empty body'}`);
}
