/** What the assignment's replies look like, whoever wrote the server: read once here, trusted from there on. */
import { jsonOf } from './exchange.ts';

export const TOO_MANY_NAMES_ADD = '<Error> Length of hostname list is more than newly added instances';
export const TOO_MANY_NAMES_RM = '<Error> Length of hostname list is more than removable instances';

const GREETING = 'Hello from Server: ';
/** Of a name that is shown or compared; a longer one is none. */
const NAME_CHARS_MAX = 253;
/** Of a list that is read; a longer one is taken for no list of servers. */
const NAMES_MAX = 10_000;

export interface Members {
  /** As it is said: not necessarily how many names there are; undefined where no number is said. */
  readonly count: number | undefined;
  readonly names: readonly string[];
  /** What is wrong with the form of the reply; undefined: nothing. */
  readonly flaw: string | undefined;
}

/**
 * Who is in, from the reply to `/rep`, `/add` or `/rm`: `{"N":3,"replicas":[…]}`, or the same as `message`, with
 * `"status":"successful"`. Undefined where there are no names to be read; where there are, and the rest is not as it
 * should be, that is its `flaw`.
 */
export function membersOf(text: string): Members | undefined {
  const reply = recordOf(jsonOf(text));
  if (reply === undefined) return undefined;
  const wrapped = recordOf(reply['message']);
  const { N: count, replicas: names } = wrapped ?? reply;
  if (!Array.isArray(names) || names.length > NAMES_MAX || !names.every(isName)) return undefined;
  const isUnsuccessful = wrapped !== undefined && reply['status'] !== 'successful';
  if (typeof count !== 'number') return { count: undefined, names, flaw: 'N is no number' };
  return { count, names, flaw: isUnsuccessful ? 'status is not "successful"' : undefined };
}

/** The name in `{"message":"Hello from Server: NAME","status":"successful"}`; undefined where it is something else. */
export function greeterOf(text: string): string | undefined {
  const reply = recordOf(jsonOf(text));
  const message = reply?.['message'];
  if (reply?.['status'] !== 'successful' || typeof message !== 'string') return undefined;
  const name = message.startsWith(GREETING) ? message.slice(GREETING.length).trim() : '';
  return isName(name) ? name : undefined;
}

/** The name in `{"request_id":42,"mapped_server":"NAME"}`; undefined where it is something else. */
export function mappedServerOf(text: string): string | undefined {
  const name = recordOf(jsonOf(text))?.['mapped_server'];
  return isName(name) ? name : undefined;
}

/** The message of `{"message":"…","status":"failure"}`, or of one in a list; undefined where it is something else. */
export function failureOf(text: string): string | undefined {
  const reply = recordOf(jsonOf(text));
  const told = reply?.['message'];
  const message: unknown = Array.isArray(told) && told.length === 1 ? told[0] : told;
  return reply?.['status'] === 'failure' && typeof message === 'string' ? message : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= NAME_CHARS_MAX;
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
