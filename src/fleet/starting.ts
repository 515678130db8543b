import type { Log } from '../log.ts';

/** Tells how many of so many replicas have been started; to be called with each that answers. */
export function startingProgress(log: Log, all: number): () => void {
  let ready = 0;
  const tell = (): void =>
    log.debug({ progress: 'replicas', ready, all }, `starting replicas: ${ready} of ${all} ready`);
  tell();
  return () => {
    ready++;
    tell();
  };
}
