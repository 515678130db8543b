import { Type, type TProperties } from '@sinclair/typebox';
import { NAME_PATTERN, WEIGHT_MAX } from '../config.ts';
import { ALGORITHMS, type Algorithm } from '../ring/placement.ts';

/** Why a call was refused; `example` is a message that it comes with. */
export const failure = (description: string, example: string) =>
  Type.Object(
    {
      message: Type.String({
        description: 'What is wrong, and what to do about it',
        examples: [`<Error> ${example}`],
      }),
      status: Type.Literal('failure'),
    },
    { description },
  );

export const bug = {
  500: failure('A bug in Ringmaster', 'Something went wrong inside Ringmaster: its log has the details'),
};

/** One of those that HASH may be. */
export const algorithm = (description: string) =>
  // Of a list that is mapped its types are not seen.
  Type.Unsafe<Algorithm>(
    Type.Union(
      ALGORITHMS.map((one) => Type.Literal(one)),
      { description, examples: ['ring'] },
    ),
  );

/** A part of a whole. */
export const part = (description: string, example: number) =>
  Type.Number({ minimum: 0, maximum: 1, description, examples: [example] });

export const names = (description: string, example: string[]) =>
  Type.Array(Type.String(), { description, examples: [example] });

const members = (example: string[]) => names('Names of the replicas, in joining order', example);

export const replicas = Type.Object(
  {
    N: Type.Integer({ minimum: 0, description: 'How many replicas there are', examples: [3] }),
    replicas: members(['server-1', 'server-2', 'server-3']),
  },
  { description: 'The replicas, in joining order' },
);

/** The fleet after a change. */
export const changed = (description: string, example: string[]) =>
  Type.Object(
    {
      message: Type.Object({
        N: Type.Integer({
          minimum: 0,
          description: 'How many replicas there are now',
          examples: [example.length],
        }),
        replicas: members(example),
      }),
      status: Type.Literal('successful'),
    },
    { description },
  );

/** Name of one that joins or leaves. */
export const hostname = (examples: string[]) =>
  Type.String({
    description: `Matches ${NAME_PATTERN}; with RUNTIME=static it is host:port or a name from UPSTREAMS`,
    examples,
  });

/** Weights by name. */
export const weights = (description: string, example: Readonly<Record<string, number>>) =>
  Type.Object(
    {},
    {
      additionalProperties: Type.Integer(),
      description: `Weights by name, whole numbers from 1 to ${WEIGHT_MAX}: shares of the keys, as multiples of the share of weight 1. ${description}`,
      examples: [example],
    },
  );

/** How many join or leave, and which. Type, not Elysia's t, whose integer takes the text "3" too. */
export const change = <const More extends TProperties = Record<never, never>>(
  which: string,
  n: number,
  hostnames: string[],
  more = {} as More,
) =>
  Type.Object(
    {
      n: Type.Integer({ minimum: 1, description: `How many replicas ${which}`, examples: [n] }),
      hostnames: Type.Optional(
        Type.Array(hostname(hostnames), {
          description: 'Names, at most n of them; without regard to case each is unique',
          examples: [hostnames],
        }),
      ),
      ...more,
    },
    // A misspelt "hostnames" must not remove whichever replica is the newest.
    { additionalProperties: false },
  );
