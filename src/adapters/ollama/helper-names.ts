import { readListedName } from "./names.ts";

/** Namespace of the names that exist only while a pinned pull runs. */
const helperNamespace = "holdfast-pin";
const idLength = 12;

/** The name under which a pin server's manifest arrives. */
export function helperNameFor(host: string, digest: string): string {
  return `${host}/${helperNamespace}/${digest.slice(0, idLength)}:new`;
}

/** The name that what is replaced has for a moment. */
export function replacedNameFor(helper: string): string {
  return helper.replace(/:new$/, ":old");
}

/** Where the pin server of a helper name was, and the beginning of the digest it hands out; undefined for every other name. */
export function readHelperName(ref: string): { readonly host: string; readonly id: string } | undefined {
  const name = readListedName(ref);
  return name?.namespace.toLowerCase() === helperNamespace ? { host: name.host, id: name.model } : undefined;
}

/** Helper names are ours and temporary: they are shown only to who asks for them by name. */
export function isShown(ref: string, asked: readonly string[] | undefined): boolean {
  return readHelperName(ref) === undefined || asked?.some((other) => other.toLowerCase() === ref.toLowerCase()) === true;
}
