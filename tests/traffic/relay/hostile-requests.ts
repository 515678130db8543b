/** All requests that must be refused. */
import { HOSTILE_BODIES } from './hostile-bodies.ts';
import { HOSTILE_HEADS } from './hostile-heads.ts';
import type { Refusal } from './refusal.ts';

export const REFUSALS: readonly Refusal[] = [...HOSTILE_HEADS, ...HOSTILE_BODIES];
