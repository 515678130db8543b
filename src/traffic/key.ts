import type { KeySource } from '../config.ts';

/** What a key can be taken from. */
export interface Keyed {
  readonly url: URL;
  readonly headers: Headers;
  readonly peer: string;
}

/** The key of a request: of the first source that it has a value for. Undefined when it has none. */
export function keyOf(request: Keyed, sources: readonly KeySource[]): string | undefined {
  for (const source of sources) {
    const key = from(source, request);
    // An empty value says as little as none; as a key it would send all who say nothing to one replica.
    if (key !== undefined && key !== '') return key;
  }
  return undefined;
}

function from(source: KeySource, { url, headers, peer }: Keyed): string | undefined {
  switch (source.from) {
    case 'query':
      return queryValues(url, source.name)[0];
    case 'header':
      return headers.get(source.name) ?? undefined;
    case 'cookie':
      return cookieValue(headers.get('cookie') ?? '', source.name);
    case 'path':
      return url.pathname;
    case 'ip':
      return peer;
  }
}

/** The values of a query parameter, percent-decoded; the same reading for /map_request and for what is forwarded. */
export function queryValues(url: URL, name: string): string[] {
  return url.searchParams.getAll(name);
}

function cookieValue(cookies: string, name: string): string | undefined {
  for (const pair of cookies.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
