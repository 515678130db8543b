// @ts-check
import { describe, expect, test } from 'bun:test';
import {
  DEAD_AFTER_MS,
  OLD_AFTER_MS,
  RETRY_MAX_MS,
  STALE_AFTER_MS,
  Stream,
} from '../../../src/dashboard/page/stream.js';

/** A stream with a clock that is set by hand. */
function rig() {
  /** @type {(import('../../../src/dashboard/page/stream.js').Listener & { closed: boolean })[]} */
  const opened = [];
  /** @type {unknown[]} */
  const heard = [];
  let time = 1000;
  const stream = new Stream({
    now: () => time,
    open: (listener) => {
      const connection = { ...listener, closed: false };
      opened.push(connection);
      return { close: () => void (connection.closed = true) };
    },
    heard: (message) => heard.push(message),
  });
  stream.tick();
  return {
    stream,
    opened,
    heard,
    /** @param {number} ms */
    wait(ms) {
      time += ms;
      stream.tick();
    },
    get last() {
      return /** @type {(typeof opened)[number]} */ (opened.at(-1));
    },
  };
}

describe('the stream', () => {
  test('is connecting at first, and live with the first message', () => {
    const { stream, last, heard } = rig();
    expect(stream.news).toBe('connecting');
    last.message('{"a":1}');
    expect(stream.news).toBe('live');
    expect(heard).toEqual([{ a: 1 }]);
  });

  test('is stale without news, says how old it is, and is live again with the next', () => {
    const it = rig();
    it.last.message('{}');
    it.wait(STALE_AFTER_MS);
    expect(it.stream.news).toBe('live');
    it.wait(OLD_AFTER_MS - STALE_AFTER_MS);
    expect(it.stream.news).toBe('stale');
    expect(it.stream.ageMs).toBe(OLD_AFTER_MS);
    it.last.message('{}');
    expect(it.stream.news).toBe('live');
    expect(it.opened).toHaveLength(1);
  });

  test('lets the browser go on by itself after a break', () => {
    const it = rig();
    it.last.message('{}');
    it.last.failed(false);
    expect(it.stream.news).toBe('lost');
    it.wait(4000);
    expect(it.opened).toHaveLength(1);
    it.last.message('{}');
    expect(it.stream.news).toBe('live');
  });

  test('opens again where the browser has given up, after ever longer waits', () => {
    const it = rig();
    it.last.message('{}');
    const waits = [1000, 2000, 4000, RETRY_MAX_MS, RETRY_MAX_MS];
    for (const [i, wait] of waits.entries()) {
      it.last.failed(true);
      it.wait(wait - 1);
      expect(it.opened).toHaveLength(i + 1);
      it.wait(1);
      expect(it.opened).toHaveLength(i + 2);
      expect(it.stream.news).toBe('lost');
    }
    it.last.message('{}');
    it.last.failed(true);
    it.wait(1000);
    expect(it.opened).toHaveLength(waits.length + 2);
  });

  test('says that Ringmaster starts where it refuses before it has told anything', () => {
    const it = rig();
    it.last.failed(true);
    expect(it.stream.news).toBe('starting');
    it.wait(1000);
    it.last.message('{}');
    expect(it.stream.news).toBe('live');
  });

  test('takes a connection that is silent for long for dead', () => {
    const it = rig();
    const first = it.last;
    first.message('{}');
    it.wait(DEAD_AFTER_MS);
    expect(first.closed).toBe(true);
    expect(it.stream.news).toBe('lost');
    it.wait(1000);
    expect(it.opened).toHaveLength(2);
    first.message('{"late":true}');
    first.failed(true);
    expect(it.heard).toEqual([{}]);
    expect(it.opened).toHaveLength(2);
  });

  test('does not take half a message for news', () => {
    const { stream, last, heard } = rig();
    last.message('{"a":');
    expect(stream.news).toBe('connecting');
    expect(heard).toEqual([]);
  });
});

describe('a page that nobody sees', () => {
  test('holds no connection, and has another as soon as somebody looks', () => {
    const it = rig();
    it.last.message('{}');
    it.stream.rest();
    expect(it.last.closed).toBe(true);
    it.wait(60_000);
    expect(it.opened).toHaveLength(1);
    expect(it.stream.news).toBe('stale');
    it.stream.wake();
    expect(it.opened).toHaveLength(2);
    it.last.message('{}');
    expect(it.stream.news).toBe('live');
    it.stream.wake();
    expect(it.opened).toHaveLength(2);
  });
});
