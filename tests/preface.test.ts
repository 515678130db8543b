import { describe, expect, test } from 'bun:test';
import { preface, type Stage } from '../src/preface.ts';

type Said = readonly [status: number, body: string] | undefined;

const HELLO = [200, 'Hello'] as const;
const STARTING = [503, '{"message":"<Error> Ringmaster is starting","status":"failure"}'] as const;
const STOPPING = [503, '{"message":"<Error> Ringmaster is stopping","status":"failure"}'] as const;

describe('before there is an app, and after it', () => {
  test.each<[string, string, Record<Stage, Said>]>([
    ['GET', 'http://h:1/heartbeat', { starting: HELLO, serving: undefined, stopping: undefined }],
    ['HEAD', 'http://h:1/heartbeat', { starting: HELLO, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/heartbeat/?x=1', { starting: HELLO, serving: undefined, stopping: undefined }],
    ['GET', '/heartbeat', { starting: HELLO, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/ready', { starting: STARTING, serving: undefined, stopping: STOPPING }],
    ['HEAD', 'http://[::1]:1/ready', { starting: STARTING, serving: undefined, stopping: STOPPING }],
    ['GET', '/ready', { starting: STARTING, serving: undefined, stopping: STOPPING }],
    ['POST', 'http://h:1/ready', { starting: undefined, serving: undefined, stopping: undefined }],
    ['POST', 'http://h:1/heartbeat', { starting: undefined, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/readyness', { starting: undefined, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/x/ready', { starting: undefined, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/x?/ready', { starting: undefined, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/dashboard/stream', { starting: STARTING, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/dashboard/x', { starting: STARTING, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/x/dashboard/x', { starting: undefined, serving: undefined, stopping: undefined }],
    ['POST', 'http://h:1/', { starting: undefined, serving: undefined, stopping: undefined }],
    ['GET', 'http://h:1/home', { starting: undefined, serving: undefined, stopping: undefined }],
  ])('%s %s', async (method, url, said) => {
    for (const stage of ['starting', 'serving', 'stopping'] as const) {
      // Request knows no url without a host, which HTTP/1.0 has: only the fields are read.
      const reply = preface({ method, url, headers: new Headers() } as Request, stage);
      expect(reply === undefined ? undefined : [reply.status, await reply.text()]).toEqual(
        said[stage] === undefined ? undefined : [...said[stage]],
      );
    }
  });

  test('who is not ready is told when to ask again', () => {
    const reply = preface(new Request('http://h/ready'), 'starting');
    expect(reply?.headers.get('retry-after')).toBe('1');
  });

  test.each(['/', '/?x=1', '/dashboard/main.js'])('a browser has the page at once: %s', async (path) => {
    const reply = preface(new Request(`http://h${path}`), 'starting');
    expect(reply?.status).toBe(200);
    expect(reply?.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(preface(new Request(`http://h${path}`), 'serving')).toBeUndefined();
  });
});
