/** A base URL without a trailing slash, or why it is none. Credentials never belong into a manifest. */
export function checkedUrl(text: string): { readonly url: string } | { readonly problem: string } {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return { problem: "is not an http or https URL" };
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return { problem: "holds credentials" };
  if (url.search !== "" || url.hash !== "") return { problem: "has a query or a fragment" };
  return { url: `${url.origin}${url.pathname.replace(/\/+$/, "")}` };
}
