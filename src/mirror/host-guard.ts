import { isIP } from "node:net";
import { hostname } from "node:os";

/** Which names a server answers to. */
export interface HostRules {
  /** Address the server listens on. */
  readonly bound: string;
  /** Further names, lower case. */
  readonly allowed: readonly string[];
}

/** The host name of a `Host` header, without port and brackets, lower case; undefined when there is none or it is not one. */
export function hostNameOf(header: string | undefined): string | undefined {
  const url = `http://${header ?? ""}`;
  if (header === undefined || !/^[\w.:[\]-]+$/.test(header) || !URL.canParse(url)) return undefined;
  return new URL(url).hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

/**
 * True when a request that names this host was meant for us. A page in a browser that points a name of its own at our address (DNS rebinding) always
 * sends that name; an address as text, or `localhost`, cannot be pointed elsewhere.
 */
export function isOurHost(name: string, rules: HostRules): boolean {
  if (name === "localhost" || name.endsWith(".localhost") || name === rules.bound || rules.allowed.includes(name)) return true;
  if (isLoopback(rules.bound)) return isLoopback(name);
  return isIP(name) !== 0 || name === hostname().toLowerCase();
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || (isIP(name) === 4 && name.startsWith("127."));
}
