/** What is not as XML has it, in a document without declarations: undefined where nothing is (XML 1.0, section 2.1). */
export function wellFormed(text: string): string | undefined {
  const open: string[] = [];
  let at = 0;
  const token = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    at = token.lastIndex;
    const [, closes, name = '', attributes = '', empty, content = ''] = match;
    const names = [...attributes.matchAll(/([\w:-]+)="/g)].map((one) => one[1]);
    if (new Set(names).size < names.length) return `an attribute twice in ${match[0]}`;
    const bad = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/i.exec(attributes + content);
    if (bad !== null) return `an ampersand that begins nothing, in ${match[0].slice(0, 80)}`;
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(match[0]) || !match[0].isWellFormed())
      return 'a character that is none';
    if (name === '') continue;
    if (closes === '/') {
      if (open.pop() !== name) return `</${name}> closes what is not open`;
    } else if (empty === '') open.push(name);
  }
  if (at !== text.length) return `not understood: ${text.slice(at, at + 80)}`;
  return open.length === 0 ? undefined : `<${open.at(-1)}> is never closed`;
}
