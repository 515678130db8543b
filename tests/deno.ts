import { readdirSync } from 'node:fs';

const ROOT = new URL('..', import.meta.url).pathname;

/** The binary itself: the command in node_modules/.bin is a script around it, and signals would end only that. */
export function denoBinary(): string {
  const vendor = `${ROOT}node_modules/@deno`;
  return `${vendor}/${readdirSync(vendor)[0]}/deno`;
}
