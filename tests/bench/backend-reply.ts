/** The replicas of every proxy that is measured. */
export const BACKEND_NAMES = ['server-1', 'server-2', 'server-3'] as const;

/** What each of them answers, whatever it is asked: names of one length make replies of one length. */
export const BACKEND_REPLY_BODIES = BACKEND_NAMES.map((name) =>
  JSON.stringify({ message: `Hello from Server: ${name}`, status: 'successful' }),
);

export const BACKEND_REPLY_BODY_BYTES = BACKEND_REPLY_BODIES[0]?.length ?? 0;
