import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { failed } from "../../domain/failure.ts";

/** Finds the file that a command names: a path relative to the folder, or a name on PATH. Throws HoldfastError when it cannot be run. */
export function resolveProgram(command: string, folder: string, path: string | undefined): string {
  if (command.startsWith("-"))
    throw failed("invalid-input", `the launch command ${JSON.stringify(command)} starts with a dash`, {
      remedy: "change launch.command of the Backend",
    });
  const named = command.includes("/");
  const candidates = named
    ? [isAbsolute(command) ? command : resolve(folder, command)]
    : (path ?? "").split(delimiter).map((part) => join(part === "" ? folder : part, command));
  const found = candidates.find(isFile);
  if (found === undefined) {
    const where = named ? "" : " on PATH";
    throw failed("not-found", `the launch command ${JSON.stringify(command)} was not found${where}`, {
      remedy: "install it, or write its path into launch.command of the Backend",
    });
  }
  const runnable = candidates.find((candidate) => isFile(candidate) && mayRun(candidate));
  if (runnable === undefined)
    throw failed("permission", `the launch command ${found} may not be executed by this user`, { remedy: `chmod +x ${found}` });
  return runnable;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
