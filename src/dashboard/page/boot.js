// @ts-check

/** How soon the page is loaded again where a part of it did not come, in ms. */
const AGAIN_MS = 1000;

/** And how often in a row, at most. */
const AGAIN_MAX = 30;

/** Whether a part of it did not come. */
let isPartial = false;

// A browser gives up all that it is loading when the machine's network changes, as it does when a container starts there;
// and with one module missing none of them runs. Told of on the way down, since such an event does not bubble.
addEventListener(
  'error',
  ({ target }) => {
    isPartial ||= target instanceof HTMLScriptElement || target instanceof HTMLLinkElement;
  },
  true,
);

addEventListener('load', () => {
  // It lives as long as this entry of the tab's history, and is nobody else's to read.
  const times = Number(history.state ?? 0);
  if (isPartial && times < AGAIN_MAX) {
    history.replaceState(times + 1, '');
    setTimeout(() => location.reload(), AGAIN_MS);
  } else history.replaceState(null, '');
});
