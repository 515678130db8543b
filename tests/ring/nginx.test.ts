import { describe, expect, test } from 'bun:test';
import { crc32 } from 'node:zlib';
import { Nginx, nginxPointsOf } from '../../src/ring/nginx.ts';
import { placementSuite } from './placement.suite.ts';

placementSuite('Nginx', (replicas) => Nginx.of(replicas), {
  largestShareMax: 1.3,
  needlessMovesMax: 0,
  needlessMovesOfWeightsMax: 0,
  deviation: () => 1 / Math.sqrt(160),
  isRandom: true,
  weightErrorMax: (weight) => 4 / Math.sqrt(160 * weight),
});

describe('the points of a server', () => {
  // What is hashed first: host, a zero byte, port.
  test.each([
    ['10.0.0.1:8080', '10.0.0.1\x008080'],
    ['backend.example.com:80', 'backend.example.com\x0080'],
    ['backend.example.com', 'backend.example.com\x00'],
    ['backend.example.com:', 'backend.example.com\x00'],
    ['[::1]:80', '[::1]\x0080'],
    ['[::1]', '[::1]\x00'],
    ['::1', ':\x001'],
    ['a:80b', 'a:80b\x00'],
    ['8080', '8080\x00'],
    [':80', '\x0080'],
    ['unix:/run/a.sock', '/run/a.sock\x00'],
    ['UNIX:/run/a:80', '/run/a:80\x00'],
    ['unix', 'unix\x00'],
    ['é:1', 'é\x001'],
  ])('%j are chained CRCs of %j', (server, hashed) => {
    const expected: number[] = [];
    const previous = Buffer.alloc(4);
    for (let i = 0; i < 320; i++) {
      expected.push(crc32(Buffer.concat([Buffer.from(hashed), previous])));
      previous.writeUInt32LE(expected[i]!);
    }
    expect([...nginxPointsOf({ name: 'x', label: server, weight: 2 })]).toEqual(expected);
    expect([...nginxPointsOf({ name: server, weight: 1 })]).toEqual(expected.slice(0, 160));
  });

  test.each([
    [1, 160],
    [3, 480],
    [0.5, 80],
    [0.0001, 1],
  ])('with a weight of %d are %d', (weight, count) => {
    expect(nginxPointsOf({ name: 'a:1', weight }).length).toBe(count);
  });
});

test('a key belongs to the first point at or after its CRC, and to the first of all behind the last', () => {
  const sites = [
    { name: 'a', label: '10.0.0.1:80', weight: 1 },
    { name: 'b', label: '10.0.0.2:80', weight: 2 },
  ];
  const points = sites
    .flatMap((site) => Array.from(nginxPointsOf(site), (position) => ({ position, name: site.name })))
    .sort((one, other) => one.position - other.position);
  const map = Nginx.of(sites);
  for (let i = 0; i < 2000; i++) {
    const key = `key-${i}`;
    const owner = points.find(({ position }) => position >= crc32(key)) ?? points[0]!;
    expect([key, map.owner(key)]).toEqual([key, owner.name]);
  }
});

test('two replicas of one label are one server: the smaller name owns its keys, and the other is next', () => {
  const twins = ['b', 'c', 'a'].map((name) => ({ name, label: name === 'a' ? 'x:1' : 'y:1', weight: 1 }));
  const map = Nginx.of(twins);
  expect(map.share().get('c')).toBe(0);
  for (let i = 0; i < 200; i++) expect(['a,b,c', 'b,c,a']).toContain(map.preference(`key-${i}`).join());
});
