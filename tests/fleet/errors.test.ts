import { expect, test } from 'bun:test';
import {
  FleetError,
  InvalidChange,
  NameTaken,
  TooManyReplicas,
  Unavailable,
  UnknownReplica,
} from '../../src/fleet/errors.ts';

test.each([
  ['InvalidChange', 400, undefined, InvalidChange],
  ['UnknownReplica', 404, undefined, UnknownReplica],
  ['NameTaken', 409, undefined, NameTaken],
  ['TooManyReplicas', 413, undefined, TooManyReplicas],
  // Only what can succeed later is worth asking again.
  ['Unavailable', 503, 1, Unavailable],
])('%s has the status that clients of the API rely on', (_, status, retryAfterS, Class) => {
  const error = new Class('why');
  expect(error).toBeInstanceOf(FleetError);
  expect(error.status).toBe(status as FleetError['status']);
  expect(error.retryAfterS).toBe(retryAfterS);
  expect(error.message).toBe('why');
});
