/** What a piece of text means; the terminal side decides how it looks. Colour is never the only sign. */
export type Tone = "heading" | "add" | "change" | "destroy" | "good" | "warning" | "error" | "quiet";

/** Dresses text that is already safe to print. */
export type Paint = (tone: Tone, text: string) => string;

/** Leaves text as it is. */
export const noPaint: Paint = (_tone, text) => text;
