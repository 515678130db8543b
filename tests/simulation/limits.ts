/** How the simulated fleet is configured: small and fast, so that every limit is met. */
export const MEMBERS_MAX = 8;
export const FIRST_MEMBERS = 3;
export const DRAIN_TIMEOUT_MS = 3000;
export const START_TIMEOUT_MS = 4000;
export const HEARTBEAT_INTERVAL_MS = 1000;
export const HEARTBEAT_FAILURES = 3;
