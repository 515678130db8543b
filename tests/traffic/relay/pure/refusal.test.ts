import { describe, expect, test } from 'bun:test';
import { refusal } from '../../../../src/traffic/relay/refusal.ts';
import { replyOf, valuesOf } from '../../http1/grammar.ts';

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';

function read(status: number, message: string, { head = false, close = false } = {}) {
  const bytes = Buffer.from(refusal(status, message, { head, close, date: DATE }));
  const text = bytes.toString('latin1');
  const reply = replyOf(text, 'GET');
  if (reply === undefined) throw new Error(`No reply: ${text}`);
  const value = (name: string) => valuesOf(reply.fields, name).join();
  return { reply, value, body: bytes.subarray(reply.end) };
}

describe('an error of the relay', () => {
  const STATUSES: readonly [number, string][] = [
    [400, 'Bad Request'],
    [405, 'Method Not Allowed'],
    [408, 'Request Timeout'],
    [413, 'Payload Too Large'],
    [414, 'URI Too Long'],
    [417, 'Expectation Failed'],
    [431, 'Request Header Fields Too Large'],
    [501, 'Not Implemented'],
    [502, 'Bad Gateway'],
    [503, 'Service Unavailable'],
    [504, 'Gateway Timeout'],
    [505, 'HTTP Version Not Supported'],
  ];

  test.each(STATUSES)('with status %d has the shape that all have', (status, reason) => {
    const { reply, value, body } = read(status, 'It is so');
    expect([reply.status, reply.reason, reply.framing]).toEqual([status, reason, 'length']);
    expect(JSON.parse(body.toString())).toEqual({ message: '<Error> It is so', status: 'failure' });
    expect(reply.length).toBe(body.length);
    expect(value('content-type')).toBe('application/json');
    expect(value('date')).toBe(DATE);
    expect(value('cache-control')).toBe('no-store');
    expect(value('retry-after')).toBe(status === 503 ? '1' : '');
    expect(value('allow') === '').toBe(status !== 405);
    expect(reply.persistent).toBe(true);
  });

  test('to HEAD says how long it would be', () => {
    const { reply, body } = read(502, 'x', { head: true });
    expect(body.length).toBe(0);
    expect(reply.length).toBe(read(502, 'x').body.length);
  });

  test('says where it ends the connection', () => {
    const { reply, value } = read(400, 'x', { close: true });
    expect(reply.persistent).toBe(false);
    expect(value('connection')).toBe('close');
  });

  test('is as long as it says, whatever it says', () => {
    const { reply, body } = read(400, 'Zürich "\r\n🎪');
    expect(reply.length).toBe(body.length);
    expect(JSON.parse(body.toString()).message).toBe('<Error> Zürich "\r\n🎪');
  });
});
