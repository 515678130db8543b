import { describe, expect, test } from 'bun:test';
import { flawsOf, textOf, type PortFigures, type Report } from './report.ts';

const trend = { first: 90, last: 91, most: 92, perHour: 1.25 };
const port: PortFigures = {
  port: '5000',
  gets: 100,
  failed: 0,
  again: 0,
  posts: 50,
  postsFailed: 3,
  told: [],
};
const good: Report = {
  seed: 7,
  runtime: 'process',
  workers: 2,
  seconds: 60,
  interrupted: false,
  ports: [port, { ...port, port: '8080', again: 2 }],
  arrived: 100,
  doubled: 0,
  changes: 6,
  refused: 1,
  wrong: [],
  faults: [{ fault: 'kill', whom: 'server-1', atMs: 10_000, healedMs: 250 }],
  processes: [{ name: 'Ringmaster', pid: 5, samples: 30, residentMb: trend, descriptors: trend }],
  descriptors: { start: 60, end: 60 },
  bugs: [],
  exitStatus: 0,
  left: [],
};

describe('the verdict', () => {
  test('is good where nothing is wrong', () => {
    expect(flawsOf(good)).toEqual([]);
    expect(textOf(good)).toContain('\ngood\n');
    expect(textOf(good)).not.toContain('NOT GOOD');
  });

  test.each<[string, Partial<Report>, string]>([
    [
      'a GET that failed',
      { ports: [{ ...port, failed: 1, told: ['42: 502'] }] },
      '1 idempotent requests failed on 5000: 42: 502',
    ],
    [
      'a port where nothing was answered',
      { ports: [{ ...port, gets: 0 }] },
      'no request was answered on 5000',
    ],
    ['a POST that arrived twice', { doubled: 1 }, '1 POSTs arrived more than once'],
    ['members that are not as expected', { wrong: ['after rm'] }, 'members are not as expected: after rm'],
    [
      'a fault that was not healed',
      { faults: [{ fault: 'pause', whom: 'a', atMs: 0, healedMs: undefined }] },
      'not healed: pause a',
    ],
    [
      'a descriptor that is left open',
      { descriptors: { start: 60, end: 61 } },
      '61 descriptors are open after the load, 60 were before it',
    ],
    ['a bug in the log', { bugs: ['a bug in the relay'] }, 'the log tells of a bug: a bug in the relay'],
    ['a bad end', { exitStatus: 1 }, 'Ringmaster ended with status 1'],
    ['something left behind', { left: ['process 5', 'a network'] }, 'left behind: process 5, a network'],
  ])('is not good with %s', (_, change, flaw) => {
    const report = { ...good, ...change };
    expect(flawsOf(report)).toEqual([flaw]);
    expect(textOf(report)).toContain(`NOT GOOD: ${flaw}\n`);
  });

  test.each<[string, Partial<Report>]>([
    ['POSTs that failed', { ports: [{ ...port, postsFailed: 99 }] }],
    ['requests that their clients sent again', { ports: [{ ...port, again: 9 }] }],
    ['changes refused for want of an engine', { refused: 5 }],
    ['an end before its time', { interrupted: true }],
  ])('is good with %s', (_, change) => {
    expect(flawsOf({ ...good, ...change })).toEqual([]);
  });
});

describe('the text', () => {
  test('tells how to run the same again, and every figure', () => {
    const text = textOf(good);
    for (const part of [
      'RUNTIME=process, WORKERS=2, --seed 7',
      'port 5000: 100 GETs, 0 failed',
      'port 8080: 100 GETs, 0 failed, 2 sent again',
      '50 POSTs answered, 3 not as they should',
      'more than once: 0',
      '6 made, 1 refused',
      'faults: 1 done, 1 healed',
      'at 10 s kill server-1: healed after 250 ms',
      'memory 90.0 to 91.0, at most 92.0, +1.3 per hour',
      'descriptors in all: 60 before the load, 60 after it',
    ])
      expect(text).toContain(part);
    expect(textOf({ ...good, interrupted: true })).toContain('60 s, interrupted');
  });
});
