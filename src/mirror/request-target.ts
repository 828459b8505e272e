/** A request's path taken apart before decoding, so that an encoded slash stays inside its part (`refs%2Fpr%2F1` is one revision). */
export interface RequestTarget {
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
}

/** Undefined when the path is not valid percent-encoding. */
export function parseRequestTarget(url: string): RequestTarget | undefined {
  const [path = "", ...query] = url.split("?");
  try {
    const parts = path.split("/").slice(1).map(decodeURIComponent);
    return { parts, query: new URLSearchParams(query.join("?")) };
  } catch {
    return undefined;
  }
}
