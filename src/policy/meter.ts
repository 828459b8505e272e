/** Counts the work of an evaluation, so that the limit is the same on every machine and in every run. One unit is roughly a microsecond. */
export class Meter {
  #left: number;
  #exhausted = false;

  constructor(units: number) {
    this.#left = units;
  }

  /** True once more was asked for than there was. CEL's `||` can swallow the error, so callers ask here as well. */
  get exhausted(): boolean {
    return this.#exhausted;
  }

  get left(): number {
    return this.#left;
  }

  /** Throws when the work would go beyond the limit. */
  spend(units: number): void {
    this.#left -= units;
    if (this.#left >= 0) return;
    this.#exhausted = true;
    throw new Error("the expression needs more work than a policy may cause");
  }

  refill(units: number): void {
    this.#left = units;
    this.#exhausted = false;
  }
}
