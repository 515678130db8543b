import { connect } from 'node:net';

/**
 * Sends bytes as they are, one for each character, and gives back all that comes until the connection ends, however it
 * does. Text that is to come in pieces is given as a list.
 */
export function raw(url: string, ...pieces: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => {
      for (const piece of pieces) socket.write(piece, 'latin1');
    });
    socket.on('data', (chunk) => (received += chunk.toString('latin1')));
    // A server that refuses need not read the rest, and may cut it off.
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}
