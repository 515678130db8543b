/** Which replica owns which key: one fixed map, that never changes once built. */
export interface Placement {
  /** distinct replica names that the placement knows, sorted (code-unit order) */
  readonly names: readonly string[];

  /** the replica that owns the key; undefined when there is no replica */
  owner(key: string): string | undefined;

  /**
   * distinct replicas in failover order, owner first
   *
   * @param limit how many at most, 0 or more; all of them by default
   */
  preference(key: string, limit?: number): string[];
}
