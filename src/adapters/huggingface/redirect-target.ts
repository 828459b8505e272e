import { isIP } from "node:net";
import { failed } from "../../domain/failure.ts";

const privateHost = /^(localhost|.*\.localhost|.*\.local|.*\.internal|metadata)$/i;
const privateV4 = /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;
const privateV6 = /^\[(::|::1|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*|::ffff:.*|64:ff9b:.*)\]$/i;

/** Where a redirect leads, when it may be followed: no other scheme, no step down from TLS, no way from a public hub into a private network. */
export function redirectTarget(from: URL, location: string | undefined, endpoint: URL): URL {
  const target = location === undefined ? null : URL.parse(location, from.href);
  if (target === null) throw failed("protocol", `${from.host} redirects to nowhere`);
  const reason = refusalReason(target, endpoint);
  if (reason !== undefined) throw failed("protocol", `refused to follow a redirect from ${from.host} to ${target.host}: ${reason}`);
  return target;
}

function refusalReason(target: URL, endpoint: URL): string | undefined {
  if (target.protocol !== "https:" && target.protocol !== "http:") return "it is not an http address";
  if (target.username !== "" || target.password !== "") return "it carries credentials";
  if (endpoint.protocol === "https:" && target.protocol !== "https:") return "it gives up encryption";
  if (isPrivate(target.hostname) && !isPrivate(endpoint.hostname)) return "it leads into a private network";
  return undefined;
}

function isPrivate(hostname: string): boolean {
  if (hostname.startsWith("[")) return privateV6.test(hostname);
  return isIP(hostname) === 4 ? privateV4.test(hostname) : privateHost.test(hostname) || !hostname.includes(".");
}
