import { expect, test } from 'bun:test';

const PAGE = new URL('../../../src/dashboard/page/', import.meta.url).pathname;
/** Ways in which a text becomes markup or a program, and ways to ask for what is not ours. */
const WAYS =
  /\.(?:inner|outer)HTML\b|insertAdjacentHTML|createContextualFragment|DOMParser|document\.write|setHTML|srcdoc|\beval\(|new Function|javascript:|https?:\/\/|setAttribute\('(?:on|style|href|src)/;

test('no text that the page is told can become a part of it', async () => {
  const files = [...new Bun.Glob('*.{js,html,css,svg}').scanSync(PAGE)];
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const text = await Bun.file(PAGE + file).text();
    const found = text
      .split('\n')
      .filter((line) => WAYS.test(line) && !line.includes('http://www.w3.org/2000/svg'));
    expect([file, ...found]).toEqual([file]);
  }
});

test('the page itself has no script and no style in it, which its policy would forbid', async () => {
  const html = await Bun.file(`${PAGE}index.html`).text();
  expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=/);
});
