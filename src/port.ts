/** A port can't be listened on; the message is one line that says what to change. */
export class PortRefused extends Error {
  override readonly name = 'PortRefused';
}

export interface Listening {
  /** The variable that named the port. */
  readonly variable: string;
  readonly port: number;
  readonly host: string;
}

/** What to tell the operator of an error that a listener threw. */
export function portRefused({ variable, port, host }: Listening, error: unknown): PortRefused {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return new PortRefused(
      `${variable}=${port} is in use on ${host}: stop what listens there, or set ${variable} to another (0 picks a free one)`,
    );
  if (code === 'EACCES')
    return new PortRefused(
      `${variable}=${port} is not this user's to listen on: set ${variable} to one over 1023`,
    );
  return new PortRefused(
    `HOST=${JSON.stringify(host)} cannot be listened on: it must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all`,
  );
}
