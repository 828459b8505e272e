import { isAbsolute, join, relative, resolve } from "node:path";

/** The folders that a written folder is resolved against; both absolute. */
export interface Bases {
  readonly root: string;
  readonly home: string;
}

/** The absolute form of a folder as a person wrote it: `~` is the home folder, a relative path starts at the project root. */
export function resolveDir(text: string, { root, home }: Bases): { readonly dir: string } | { readonly problem: string; readonly remedy: string } {
  if (text === "~" || text.startsWith("~/")) return { dir: join(home, text.slice(1)) };
  if (text.startsWith("~")) return { problem: "names another person's home folder", remedy: "write the absolute path" };
  return { dir: resolve(root, text) };
}

/** Why Holdfast must not own a folder, or undefined when it may. */
export function dangerousDirReason(dir: string, { root, home }: Bases): string | undefined {
  if (dir === resolve("/")) return "is the root of the file system";
  if (contains(dir, home)) return "is the home folder or around it";
  if (contains(dir, root)) return "is the project folder or around it";
  return undefined;
}

function contains(outer: string, inner: string): boolean {
  const path = relative(outer, inner);
  return path === "" || (path !== ".." && !path.startsWith("../") && !path.startsWith("..\\") && !isAbsolute(path));
}
