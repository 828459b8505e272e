import { styleText } from "node:util";
import { noPaint, type Paint, type Tone } from "../../report/paint.ts";

const formats: Readonly<Record<Tone, Parameters<typeof styleText>[0]>> = {
  heading: "bold",
  add: "green",
  change: "yellow",
  destroy: ["bold", "red"],
  good: "green",
  warning: "yellow",
  error: ["bold", "red"],
  quiet: "dim",
};

/** Colour for one stream: off without a terminal, with `NO_COLOR` or `TERM=dumb`, on with `FORCE_COLOR`; off unless `enabled`. */
export function createPaint(stream: NodeJS.WritableStream, enabled = true): Paint {
  if (!enabled) return noPaint;
  return (tone, text) => (text === "" ? "" : styleText(formats[tone], text, { stream, validateStream: true }));
}
