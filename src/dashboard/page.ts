import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** What the browser may do with the page: run and ask for what comes from here, and be in nobody's frame. */
const POLICY = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  // A page of a replica, which has the same origin, gets no handle on this one.
  'cross-origin-opener-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

const PAGE = new URL('./page/', import.meta.url);
/** Files of packages that the page needs, by the name under which they are served here. */
const PACKAGED = { 'uplot.js': 'uplot/dist/uPlot.esm.js', 'uplot.css': 'uplot/dist/uPlot.min.css' } as const;

interface File {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

/** The page's files, by the name under which they are served. Read once: there are few, and they are small. */
export class Page {
  readonly #files: ReadonlyMap<string, File>;

  constructor() {
    const own = readdirSync(PAGE)
      .filter((name) => typeOf(name) !== undefined)
      .map((name) => [name, new URL(name, PAGE)] as const);
    const packaged = Object.entries(PACKAGED).map(
      ([name, path]) => [name, new URL(import.meta.resolve(path))] as const,
    );
    this.#files = new Map([...own, ...packaged].map(([name, url]) => [name, fileAt(name, url)]));
  }

  /** Answers with the file; undefined where there is none of that name. */
  reply(name: string, request: Request): Response | undefined {
    const file = this.#files.get(name);
    if (file === undefined) return undefined;
    if (request.headers.get('if-none-match') === file.headers['etag'])
      return new Response(null, { status: 304, headers: file.headers });
    return new Response(file.content, { headers: file.headers });
  }
}

/** One for all: it never changes while Ringmaster runs. */
export const page = new Page();

function fileAt(name: string, url: URL): File {
  const content = new Uint8Array(readFileSync(url));
  const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  // Asked for each time, and sent only where it has changed: the modules of two versions do not go together.
  const headers = { ...POLICY, 'content-type': typeOf(name) as string, 'cache-control': 'no-cache', etag };
  return { content, headers };
}

function typeOf(name: string): string | undefined {
  return TYPES[name.split('.').at(-1) ?? ''];
}
