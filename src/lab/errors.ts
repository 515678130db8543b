/** What went wrong, in words for who runs the lab. */
export class LabError extends Error {
  override readonly name = 'LabError';
}

/** The lab was told to end. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}
