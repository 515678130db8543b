/** The plugin repeats these of a response's schema beside its content, where OpenAPI knows only a description. */
const SCHEMA_WORDS: ReadonlySet<string> = new Set(['examples', 'anyOf']);

/**
 * What the plugin emits, made strict OpenAPI 3.0: its schemas are JSON Schema, of which 3.0 knows only a part
 * (OpenAPI 3.0.3, section 4.7.24). `examples: [x]` becomes `example: x`, a constant becomes an enumeration of one, and
 * something or null, as which 3.0 has no type, something that may be null.
 */
export function strictDocument(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strictDocument);
  if (typeof value !== 'object' || value === null) return value;
  const entries: [string, unknown][] = [];
  for (const [name, inner] of Object.entries(value)) {
    if ('content' in value && SCHEMA_WORDS.has(name)) continue;
    const orNull = name === 'anyOf' ? otherThanNull(inner) : undefined;
    if (orNull !== undefined)
      entries.push(...Object.entries(strictDocument(orNull) as object), ['nullable', true]);
    else if (name === 'examples' && Array.isArray(inner)) entries.push(['example', inner[0]]);
    else if (name === 'const') entries.push(['enum', [inner]]);
    else entries.push([name, strictDocument(inner)]);
  }
  return Object.fromEntries(entries);
}

/** Of two schemas of which one is null's the other; undefined where it is not so. */
function otherThanNull(schemas: unknown): object | undefined {
  if (!Array.isArray(schemas) || schemas.length !== 2) return undefined;
  const others = (schemas as { readonly type?: unknown }[]).filter(({ type }) => type !== 'null');
  return others.length === 1 ? others[0] : undefined;
}
