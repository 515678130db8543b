import type { Plan } from '../../src/fleet/membership.ts';

/** Of a fleet that has nobody and gets nobody. */
export const EMPTY_PLAN: Plan = {
  joining: [],
  leaving: [],
  before: [],
  after: [],
  hash: { before: 'ring', after: 'ring' },
};
