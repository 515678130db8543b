import { Refusal } from './errors.ts';
import { bug, failure } from './schemas.ts';

/** Statuses of every change, but for those of its own. */
export const refused = {
  400: failure(
    'The body is not JSON, or a value in it is not allowed',
    'n must be a whole number, 1 or more',
  ),
  401: failure(
    'ADMIN_TOKEN is set, and the call does not carry it',
    'This needs the header Authorization: Bearer with the value of ADMIN_TOKEN',
  ),
  403: failure(
    'The caller may not change the replicas',
    'A page of another site may not change the replicas',
  ),
  415: failure(
    'The content type is not application/json',
    'Send the body with content-type: application/json',
  ),
  503: failure(
    'The engine or a replica did not do its part: nothing was changed',
    'The engine that runs the replicas does not answer: nothing was added',
  ),
  ...bug,
};

export const detail = (summary: string, description: string) => ({
  tags: ['Replicas'],
  summary,
  description,
});
/** Of a change; a token is needed only where ADMIN_TOKEN is set. */
export const changeDetail = (summary: string, description: string) => ({
  ...detail(summary, description),
  security: [{}, { token: [] }],
  parameters: [dryRunParameter],
});

const DRY_RUN = 'dry_run';
const dryRunParameter = {
  name: DRY_RUN,
  in: 'query',
  required: false,
  description: 'true: say what the call would do and what it would move, and change nothing',
  // What the page to try the API fills in.
  schema: { type: 'boolean', default: false, example: false },
} as const;

/** Whether the call only asks. Throws Refusal for what may be meant so and is not understood: it would be a change. */
export function isDryRun(url: string): boolean {
  const [found, ...others] = [...new URL(url).searchParams].filter(([name]) => /^dry[-_ ]?run$/i.test(name));
  if (found === undefined) return false;
  const [name, value] = found;
  if (name !== DRY_RUN || (value !== 'true' && value !== 'false') || others.length > 0)
    throw new Refusal(400, 'dry_run must be true or false, and be there once: ?dry_run=true');
  return value === 'true';
}
