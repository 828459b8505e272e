const longest = 80;

/** A value as it is shown inside a message: one line, everything invisible escaped, at most 80 characters, without credentials of an address. */
export function quote(value: unknown): string {
  const text = (JSON.stringify(value) ?? "nothing").replaceAll(/:\/\/[^/@\s"]*@/g, "://***@").replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, codeOf);
  return text.length > longest ? `${text.slice(0, longest - 4)}...${text.startsWith('"') ? '"' : ""}` : text;
}

function codeOf(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16) ?? ""}}`;
}
