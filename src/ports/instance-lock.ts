/** Who holds the lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly operation: string;
  readonly since: string;
}

/** Makes sure that one process at a time writes to a state directory; released by the operating system when the process dies. */
export interface InstanceLock {
  /** Throws HoldfastError `conflict` naming the holder when another process has it. The result releases it. */
  acquire(operation: string): Promise<() => void>;
}
