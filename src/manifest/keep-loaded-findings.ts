import type { Model } from "../domain/model.ts";
import type { Finding } from "./finding.ts";

const second = 1000;
const year = 365 * 86_400_000;

/** What is wrong with a wish to keep a model in memory. */
export function keepLoadedFindings({ source, keepLoaded, lifecycle }: Model): readonly Finding[] {
  const path = ["spec", "keepLoaded"];
  if (keepLoaded === undefined) return [];
  if (source.kind !== "ollama") {
    const why = source.kind === "remote" ? "a remote model is not in the memory of this machine" : "only Ollama loads models in advance";
    return [{ code: "model.keep-loaded-source", path, message: `${why}: the source is ${source.kind}`, remedy: keepLoadedRemedy[source.kind] }];
  }
  if (keepLoaded !== "forever" && (keepLoaded < second || keepLoaded > year))
    return [
      {
        code: "model.keep-loaded-time",
        path,
        message: keepLoaded < second ? "a model cannot be kept in memory for less than a second" : "more than a year is for ever",
        remedy: keepLoaded < second ? "remove keepLoaded: without it what is in memory is left alone" : "write keepLoaded: true",
      },
    ];
  if (lifecycle.state === "active") return [];
  return [
    {
      severity: "warning",
      code: "model.keep-loaded-deprecated",
      path,
      message: "a deprecated model is not kept in memory",
      remedy: "remove keepLoaded",
    },
  ];
}

const keepLoadedRemedy: Readonly<Record<Exclude<Model["source"]["kind"], "ollama">, string>> = {
  huggingface: "remove it; a Backend keeps the model in memory that its active names",
  path: "remove it; a Backend keeps the model in memory that its active names",
  remote: "remove it; the other machine decides what it keeps in memory",
};
