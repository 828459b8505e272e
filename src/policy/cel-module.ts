import type * as CelLibrary from "@bufbuild/cel";

/** The CEL library as a value; loaded on first use because most commands never evaluate a policy. */
export type Cel = typeof CelLibrary;

/** Root of a parsed expression. */
export type Expr = NonNullable<ReturnType<Cel["parse"]>["expr"]>;

export async function loadCel(): Promise<Cel> {
  return import("@bufbuild/cel");
}
