import { failureOf, membersOf, TOO_MANY_NAMES_ADD, TOO_MANY_NAMES_RM } from '../contract.ts';
import {
  adds,
  addsNoTwins,
  BAD_COUNTS,
  namesMadeUp,
  refuses,
  removes,
  removesFewer,
  survivesBadJson,
  unlisted,
  withTwo,
} from './changes.ts';
import {
  addMoves,
  addUnderLoad,
  alikeGetKeys,
  asksIds,
  everyIdAnswered,
  greetersListed,
  homeGreets,
  idsSpread,
  keysReturn,
  mapAgrees,
  removedIsSilent,
  rmMoves,
  rmUnderLoad,
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
    why: 'All other points need it: it shows which servers there are, and what a call has changed.',
    run: (scene) => Promise.resolve(listed(scene)),
  },
  {
    id: 'home',
    asks: 'GET /home answers "Hello from Server: NAME", status successful, through the balancer',
    why: 'A load balancer has to pass requests on; NAME shows which server answered.',
    run: homeGreets,
  },
  {
    id: 'every-id',
    asks: 'GET /home?id=ID is answered for every id',
    why: 'A search on the ring that does not go on from its end to its start finds no server for some ids.',
    run: everyIdAnswered,
  },
  {
    id: 'heartbeat',
    asks: 'GET /heartbeat answers 200',
    why: 'It is how a balancer finds out that a server is dead, and how you find out that the balancer is.',
    run: async (scene) => {
      const came = await scene.call('/heartbeat');
      if (came.ok && came.status === 200) return pass('200');
      // Where it is handed on under an id that is drawn, it fails as other ids do.
      return scene.fail(told(came), came.ok && came.status >= 500 ? { needs: ['answer every id'] } : {});
    },
  },
  {
    id: 'same-id',
    asks: 'Requests with the same id go to the same server',
    why: 'It is what hashing is for: the server that has seen a key before still has its data.',
    run: (scene) => withTwo(scene, sameIdSameServer),
  },
  {
    id: 'home-listed',
    asks: 'The server that answers GET /home is listed by /rep',
    why: 'A server that is not listed can not be checked, replaced or removed.',
    run: (scene) => withTwo(scene, greetersListed),
  },
  {
    id: 'spread',
    asks: 'Different ids go to different servers',
    why: 'If one server gets all requests, the others are of no use.',
    run: (scene) => withTwo(scene, idsSpread),
  },
  {
    id: 'map-request',
    asks: 'GET /map_request?id=42, if it exists, names the server that answers /home?id=42',
    why: 'It is an extra that not everyone has to build; but if it is there, it has to be right.',
    run: mapAgrees,
  },
  {
    id: 'unknown-path',
    asks: 'GET of a path that does not exist answers 4xx',
    why: 'A 200 or a 500 hides that the caller made a mistake.',
    run: async (scene) => {
      const came = await scene.call('/no-such-endpoint');
      if (came.ok && came.status >= 400) scene.note('GET /no-such-endpoint', came);
      if (came.ok && isClientError(came.status)) return pass(String(came.status));
      return scene.fail(told(came), saysFailure(came) ? { shows: 'refuse by status' } : {});
    },
  },
  {
    id: 'add-names',
    asks: 'POST /add with n=2 and two hostnames adds these two, and the reply lists all servers',
    why: 'It is how servers are added under names that you choose.',
    run: (scene) => adds(scene, 2, 2, { shows: 'add by name' }),
  },
  {
    id: 'add-no-names',
    asks: 'POST /add with n=1 and no hostnames adds one server, and makes up its name',
    why: 'Who needs more servers often does not care what they are called.',
    run: (scene) => adds(scene, 1, 0, { needs: ['add by name'], shows: 'make up names' }),
  },
  {
    id: 'add-fewer-names',
    asks: 'POST /add with n=2 and one hostname adds that one, and another with a made-up name',
    why: 'The assignment lets hostnames be fewer than n: the balancer makes up the rest.',
    run: (scene) => adds(scene, 2, 1, { needs: ['add by name', 'make up names'] }),
  },
  {
    id: 'add-too-many-names',
    asks: `POST /add with more hostnames than n answers 400 "${TOO_MANY_NAMES_ADD}", and adds none`,
    why: 'It is not clear which of the names are meant; the text is part of the assignment.',
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
    why: 'The caller has made a mistake and has to be told; the balancer must not guess.',
    run: (scene) => refuses(scene, { method: 'add', bodies: BAD_COUNTS }),
  },
  {
    id: 'add-duplicates',
    asks: 'POST /add with the same name twice, or with a name in use, answers 4xx or makes up another name: no two servers have the same name',
    why: 'Two servers with the same name can not be told apart, by you or by the hash function.',
    run: addsNoTwins,
  },
  {
    id: 'rm-names',
    asks: 'DELETE /rm with n=1 and one hostname removes that server and no other, and the reply lists the rest',
    why: 'Who removes a server by its name means that server.',
    run: (scene) => removes(scene, 1),
  },
  {
    id: 'rm-no-names',
    asks: 'DELETE /rm with n=1 and no hostnames removes one server',
    why: 'Who needs fewer servers often does not care which one goes.',
    run: (scene) => removes(scene, 0),
  },
  {
    id: 'rm-fewer-names',
    asks: 'DELETE /rm with n=2 and one hostname removes that one, and another',
    why: 'The assignment lets hostnames be fewer than n: the balancer chooses the rest.',
    run: removesFewer,
  },
  {
    id: 'rm-too-many-names',
    asks: `DELETE /rm with more hostnames than n answers 400 "${TOO_MANY_NAMES_RM}", and removes none`,
    why: 'It is not clear which of the names are meant; the text is part of the assignment.',
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
    why: 'The caller has made a mistake; a guess would remove servers that are needed.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: BAD_COUNTS }),
  },
  {
    id: 'rm-unknown',
    asks: 'DELETE /rm of a name that no server has answers 4xx, and removes none',
    why: 'Who makes a typing error in a name must not lose another server.',
    run: (scene) => refuses(scene, { method: 'rm', bodies: [{ n: 1, hostnames: scene.freshNames(1) }] }),
  },
  {
    id: 'rm-too-many',
    asks: 'DELETE /rm of more servers than there are answers 4xx, and removes none',
    why: 'A change is made as a whole or not at all.',
    run: async (scene) => {
      const names = await scene.names();
      if (names === undefined) return unlisted(scene);
      return refuses(scene, { method: 'rm', bodies: [{ n: names.length + 1, hostnames: [] }] });
    },
  },
  {
    id: 'made-up-names',
    asks: 'A made-up name is never one already in use: tried by /add of two, /rm of one of them, and /add of one',
    why: 'A name made from the number of servers may be in use already, once a server has been removed.',
    run: namesMadeUp,
  },
  {
    id: 'add-under-load',
    asks: 'Requests that come while a server is added are all answered',
    why: 'A server must be ready before it gets its first request.',
    run: addUnderLoad,
  },
  {
    id: 'rm-ends',
    asks: 'After /rm a server gets no more requests, and the others answer in its place',
    why: 'A removed server is about to be switched off.',
    run: (scene) => withTwo(scene, removedIsSilent),
  },
  {
    id: 'rm-under-load',
    asks: 'Requests that come while servers are removed are answered by the others',
    why: 'A server that is stopped while it is still on the ring gets requests that it can not answer.',
    run: (scene) => withTwo(scene, rmUnderLoad),
  },
  {
    id: 'add-moves',
    asks: 'After /add of one server, keys move only to the new one: about 1/N of them, N with the new one',
    why: 'It is what consistent hashing is for: with id % N nearly all keys move, and all caches are useless at once.',
    run: (scene) => asksIds(scene, addMoves),
  },
  {
    id: 'rm-moves',
    asks: 'After /rm of one server, the keys of the others do not move',
    why: 'Only the keys of the removed server need another one.',
    run: (scene) => asksIds(scene, rmMoves),
  },
  {
    id: 'keys-return',
    asks: 'After /add and /rm of the same server, every key is back where it was',
    why: 'Where a key goes depends on which servers there are, not on what happened before.',
    run: (scene) => asksIds(scene, keysReturn),
  },
  {
    id: 'alike-names',
    asks: 'Servers whose names end in the same digit get keys as others do',
    why: 'Servers that get the same number share their points on the ring, and some of them get nothing.',
    run: (scene) => withTwo(scene, alikeGetKeys),
  },
  {
    id: 'errors',
    asks: 'Every error is JSON with "status":"failure" and a message',
    why: 'Programs read errors too; they can not read a page of HTML or a stack trace.',
    run: (scene) => Promise.resolve(errorsAreJson(scene)),
  },
  {
    id: 'bad-json',
    asks: 'POST /add and DELETE /rm with a body that is not JSON answer 4xx, and the balancer goes on',
    why: 'A mistake of one caller must not stop the balancer for all others.',
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
