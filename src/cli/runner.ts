import { InvalidArgumentError } from "commander";
import type { Session } from "./session.ts";

/** One command: gets a session, its options and its arguments, and returns the exit code. */
export type Run<Options> = (session: Session, options: Options, names: readonly string[]) => Promise<number>;

/** Turns a command, which is loaded when it runs, into an action for commander. A server runs until it is told to stop. */
export type Runner = <Options extends object>(
  load: () => Promise<Run<Options>>,
  isServer?: boolean,
) => (...params: readonly unknown[]) => Promise<void>;

/** Collects the values of an option that can be repeated. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Reads a count. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("a whole number is needed");
  return Number(text);
}

/** Reads a port. */
export function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError("ports end at 65535");
  return port;
}
