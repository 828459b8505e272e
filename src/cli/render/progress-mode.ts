/** How progress is shown; `auto` chooses `tty` on a terminal and `plain` elsewhere. */
export type ProgressMode = "auto" | "tty" | "plain" | "json" | "none";

/** Bars need a terminal that obeys cursor codes and a person in front of it: without one, `auto` and `tty` both become `plain`. */
export function resolveProgressMode(
  mode: ProgressMode,
  terminal: boolean,
  env: Readonly<Record<string, string | undefined>>,
): Exclude<ProgressMode, "auto"> {
  if (mode !== "auto" && mode !== "tty") return mode;
  if (!terminal || env["TERM"] === "dumb") return "plain";
  return mode === "auto" && isCi(env) ? "plain" : "tty";
}

function isCi(env: Readonly<Record<string, string | undefined>>): boolean {
  const value = env["CI"] ?? "";
  return value !== "" && value !== "0" && value.toLowerCase() !== "false";
}
