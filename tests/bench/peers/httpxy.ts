import { readFileSync } from 'node:fs';
import type { Program } from './program.ts';

export const httpxy: Program = {
  name: 'npm httpxy',
  entrances: ['npm httpxy'],
  version: () => {
    try {
      const path = new URL('../package.json', import.meta.resolve('httpxy'));
      return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
    } catch {
      return undefined;
    }
  },
  setUp: ({ ports, upstreams }) => ({
    argv: [
      // Made for Node, and takes less CPU time on Bun.
      process.execPath,
      new URL('httpxy-server.mjs', import.meta.url).pathname,
      ...[...ports, ...upstreams.map(({ port }) => port)].map(String),
    ],
  }),
};
