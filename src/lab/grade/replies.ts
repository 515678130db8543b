import { failureOf } from '../contract.ts';
import type { Exchange } from '../exchange.ts';

/** A reply, or why there is none, in words. */
export function told(came: Exchange): string {
  return came.ok ? `${came.status} ${came.text}` : came.why;
}

export function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}

/** Whether it is an error in the form of the contract, whatever its status. */
export function saysFailure(came: Exchange): boolean {
  return came.ok && failureOf(came.text) !== undefined;
}

/** Whether an error has this message. */
export function says(reply: string, text: string): boolean {
  const message = failureOf(reply);
  // What the reply is made of is another point.
  return message === undefined ? reply.includes(text) : message.trim() === text;
}
