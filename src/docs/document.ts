/**
 * What the plugin emits, made strict OpenAPI 3.0: its schemas are JSON Schema, of which 3.0 knows only a part
 * (OpenAPI 3.0.3, section 4.7.24). `examples: [x]` becomes `example: x`, a constant becomes an enumeration of one.
 */
export function strictDocument(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strictDocument);
  if (typeof value !== 'object' || value === null) return value;
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'examples' && Array.isArray(inner)) {
      // On a parameter or a schema; a response has its example in its schema already.
      if (!('content' in value)) entries.push(['example', inner[0]]);
    } else if (name === 'const') entries.push(['enum', [inner]]);
    else entries.push([name, strictDocument(inner)]);
  }
  return Object.fromEntries(entries);
}
