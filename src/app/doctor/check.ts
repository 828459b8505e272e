/** One checked fact with its remedy; ids are stable and explained in the docs. */
export interface Check {
  readonly id: string;
  readonly state: "ok" | "warning" | "failed";
  readonly fact: string;
  readonly remedy?: string;
}
