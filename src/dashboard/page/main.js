// @ts-check
import { AddDialog, RemoveDialog, TokenDialog, WeightDialog } from './dialogs.js';
import { Announcer, toast } from './notices.js';
import { Api, NotAllowed, Refused, wordsOf } from './api.js';
import { Cards } from './cards.js';
import { Charts } from './charts.js';
import { Colours } from './colours.js';
import { Header } from './header.js';
import { HotKeys } from './hot.js';
import { LensView } from './lens.js';
import { Probe } from './probe.js';
import { RingView } from './ring-view.js';
import { Shares } from './shares.js';
import { Spotlight } from './spotlight.js';
import { Store } from './store.js';
import { Stream } from './stream.js';
import { Timeline } from './timeline.js';
import { decodeRing, isCircle } from './geometry.js';
import { need } from './dom.js';

/** @typedef {import('./store.js').Update} Update */

/** How often the age of the news is looked at. */
const TICK_MS = 250;

/** A page that nobody sees goes on listening for so long: who looks at another for a moment comes back to what is live. */
const HIDDEN_REST_MS = 10_000;

/** A ring is not asked for more often than this. */
const RING_EVERY_MS = 500;

/** And after a failure that may pass, not more often than this. */
const RING_AGAIN_MS = 3000;

const store = new Store();
const colours = new Colours();
const spotlight = new Spotlight();
const tokens = new TokenDialog();
const api = new Api((again) => tokens.ask(again));
const announcer = new Announcer();

const header = new Header();
const ring = new RingView(colours, spotlight);
const lens = new LensView(colours);
const shares = new Shares(colours, spotlight);
const charts = new Charts(colours, spotlight);
const timeline = new Timeline(colours);
const addDialog = new AddDialog(api, colours, () => store.snapshot?.replicas.map(({ name }) => name) ?? []);
const removeDialog = new RemoveDialog(api, colours);
const weightDialog = new WeightDialog(api, colours);

/** @type {import('./geometry.js').RingMap | null} */
let map = null;
/** @type {import('./probe.js').Answer | null} */
let answer = null;

const probe = new Probe({
  api,
  colours,
  changed: (said) => {
    answer = said;
    ring.setKey(said?.position ?? null, said?.owner ?? null);
    lens.show(map, said);
  },
});

const cards = new Cards({
  colours,
  spotlight,
  actions: {
    drain: (name) => removeDialog.open(store.snapshot, name),
    weigh: (name) => weightDialog.open(store.snapshot, name),
    kill: (name) => {
      api
        .kill(name)
        .then(() => toast(`${name} is killed.`))
        .catch((/** @type {unknown} */ error) => {
          if (!(error instanceof NotAllowed)) toast(wordsOf(error), 'bad');
        });
    },
  },
});

need('open-add', HTMLButtonElement).addEventListener('click', () => addDialog.open(store.snapshot));
need('open-remove', HTMLButtonElement).addEventListener('click', () => removeDialog.open(store.snapshot));

/** When the newest snapshot came, by the clock that only goes forward, and by the one on the wall. */
let heardAt = 0;
/** @type {number | null} */
let heardOn = null;

/** The server's time: its clock and ours need not agree. */
function serverNow() {
  return (store.snapshot?.at ?? 0) + (performance.now() - heardAt);
}

/** The digest of the ring that was fetched, or that nobody tells. */
let digest = '';
let ringNotBefore = 0;
/** Why there are no arcs; empty where there are. */
let mapWanting = '';
let ringAsking = false;

/** Who is in which state, as the key that is asked for was told last. */
let statesTold = '';

/** Who is passed over changes with the states, which a map of all members does not follow. */
function followStates() {
  const states = store.snapshot?.replicas.map(({ name, state }) => `${name} ${state}`).join() ?? '';
  if (states === statesTold) return;
  statesTold = states;
  void probe.ask();
}

async function followRing() {
  const wanted = store.snapshot?.ring.digest;
  if (wanted === undefined || wanted === digest || ringAsking || performance.now() < ringNotBefore) return;
  ringAsking = true;
  ringNotBefore = performance.now() + RING_EVERY_MS;
  try {
    mapWanting = '';
    map = isCircle(store.snapshot?.ring.algorithm ?? '')
      ? decodeRing(await api.get('/dashboard/ring'))
      : null;
    // Where it has changed meanwhile it is asked for again with the next snapshot.
    digest = map?.digest ?? wanted;
  } catch (error) {
    // Shares are drawn without arcs. Too many points to be told stay too many; anything else may be over in a moment.
    map = null;
    const passing = error instanceof Refused && (error.status < 400 || error.status >= 500);
    if (passing) ringNotBefore = performance.now() + RING_AGAIN_MS;
    // What was drawn before is not drawn any more: it is asked for again, also where the ring comes back to what it was.
    digest = passing ? '' : wanted;
    mapWanting = `The arcs are not drawn: ${wordsOf(error)}`;
  } finally {
    ringAsking = false;
  }
  ring.setMap(map, mapWanting);
  lens.show(map, answer);
  await probe.ask();
}

let drawing = false;

function draw() {
  drawing = false;
  const { snapshot } = store;
  const now = serverNow();
  showFreshness();
  header.show(snapshot, now);
  if (snapshot === null) return;
  ring.show(snapshot);
  shares.show(snapshot);
  cards.show(snapshot, now, store.samples.by_replica);
  charts.show(store);
  timeline.show(store);
}

function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
}

const stream = new Stream({
  now: () => performance.now(),
  open: ({ message, failed }) => {
    const source = new EventSource('/dashboard/stream');
    source.addEventListener('message', ({ data }) => message(String(data)));
    source.addEventListener('error', () => {
      const closed = source.readyState === EventSource.CLOSED;
      failed(closed);
      if (closed && store.snapshot === null) void askWhy();
    });
    return source;
  },
  heard: (message) => {
    const update = /** @type {Update} */ (message);
    if (update.reset) {
      api.forgetAbilities();
      digest = '';
    }
    const news = store.apply(update);
    heardAt = performance.now();
    heardOn = Date.now();
    colours.seat(update.snapshot.replicas.map(({ name }) => name));
    api.needsToken = update.snapshot.needs_token;
    announcer.tell(news);
    void followRing();
    followStates();
    drawSoon();
  },
});

const hotKeys = new HotKeys({
  api,
  colours,
  live: () => (stream.news === 'live' ? store.snapshot : null),
});

/** Whether there are too many pages: a stream is refused then, as it is by one that is starting. */
let crowded = false;

async function askWhy() {
  crowded = await api.get('/ready').then(
    () => true,
    () => false,
  );
}

function showFreshness() {
  header.freshness({
    news: stream.news,
    ageMs: stream.ageMs,
    asOf: heardOn,
    snapshot: store.snapshot,
    crowded,
  });
}

function tick() {
  stream.tick();
  hotKeys.tick(performance.now());
  showFreshness();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;

document.addEventListener('visibilitychange', () => {
  clearTimeout(resting);
  if (document.hidden) resting = setTimeout(() => stream.rest(), HIDDEN_REST_MS);
  else stream.wake();
});

drawSoon();
tick();
setInterval(tick, TICK_MS);
