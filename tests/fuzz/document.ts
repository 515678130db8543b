/** The description of the API, as a client gets it, and whether a reply is as it says. */

export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly nullable?: boolean;
  readonly anyOf?: readonly Schema[];
  readonly example?: unknown;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly schema: Schema;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Of the body that it takes. */
  readonly body: Schema | undefined;
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

interface Described {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Operation['responses'];
}

/** Every operation of the document at `url`, in its order. */
export async function operationsOf(url: string): Promise<Operation[]> {
  const document = (await (await fetch(`${url}/swagger/json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
      responses,
    })),
  );
}

/** In what a reply differs from what the document says of the operation; undefined: in nothing. */
export function flawOfReply(
  { responses }: Operation,
  { status, type, text }: { readonly status: number; readonly type: string; readonly text: string },
): string | undefined {
  const declared = responses[status];
  if (declared === undefined) return `status ${status} is not in the document`;
  const [media, { schema } = { schema: {} }] = Object.entries(declared.content ?? {})[0] ?? ['', undefined];
  if (type.split(';')[0] !== media) return `a ${status} of type ${type}, where the document says ${media}`;
  if (media !== 'application/json') return flawOf(text, schema, 'the body');
  try {
    return flawOf(JSON.parse(text), schema, 'the body');
  } catch {
    return 'a body that is not JSON';
  }
}

/** In what a value differs from its schema, as far as our document uses schemas. */
export function flawOf(value: unknown, schema: Schema, where: string): string | undefined {
  const { type, properties = {}, required = [], items, enum: values, anyOf } = schema;
  const { minimum = -Infinity, maximum = Infinity } = schema;
  if (value === null && schema.nullable === true) return undefined;
  if (anyOf !== undefined) {
    const flaws = anyOf.map((one) => flawOf(value, one, where));
    return flaws.includes(undefined) ? undefined : flaws.join(', and ');
  }
  if (values !== undefined && !values.includes(value)) return `${where} is none of ${JSON.stringify(values)}`;
  switch (type) {
    case 'string':
      return typeof value === 'string' ? undefined : `${where} is no text`;
    case 'integer':
      return Number.isSafeInteger(value) && Number(value) >= minimum
        ? undefined
        : `${where} is no such number`;
    case 'number':
      return typeof value === 'number' && value >= minimum && value <= maximum
        ? undefined
        : `${where} is no such number`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `${where} is neither true nor false`;
    case 'array': {
      if (!Array.isArray(value)) return `${where} is no list`;
      for (const [i, item] of value.entries()) {
        const flaw = flawOf(item, items ?? {}, `${where}[${i}]`);
        if (flaw !== undefined) return flaw;
      }
      return undefined;
    }
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${where} is no object`;
      const fields: Readonly<Record<string, unknown>> = { ...value };
      const missing = required.find((name) => !Object.hasOwn(fields, name));
      if (missing !== undefined) return `${where} has no ${missing}`;
      for (const [name, field] of Object.entries(fields)) {
        const { additionalProperties: others } = schema;
        const known = Object.hasOwn(properties, name)
          ? properties[name]
          : typeof others === 'object'
            ? others
            : undefined;
        // What a reply says is ours: nothing that the document does not know.
        if (known === undefined) return `${where} has ${name}, which the document does not know`;
        const flaw = flawOf(field, known, `${where}.${name}`);
        if (flaw !== undefined) return flaw;
      }
      return undefined;
    }
    default:
      return undefined;
  }
}
