/** What an engine says of itself while it starts; for display and for messages, never for decisions. */

const phases: readonly (readonly [RegExp, string])[] = [
  [/Loading (?:safetensors|pt) checkpoint shards:\s+(\d+)% Completed \| (\d+\/\d+)/, "loading weights, shard $2"],
  [/Application startup complete/, "answering"],
  [/Starting vLLM server on|Uvicorn running on|server is listening on|HTTP server is listening/, "opening the port"],
  [/init engine \(profile, create kv cache, warmup model\) took/, "engine ready"],
  [/Graph capturing finished|Capturing CUDA graphs?/, "capturing graphs"],
  [/GPU KV cache size|Available KV cache memory|CPU KV cache size/, "reserving the cache"],
  [/torch\.compile took|Dynamo bytecode transform time|Directly load the compiled graph/, "compiling"],
  [/Loading weights took|Model loading took|load_tensors:|llama_model_load/, "loading weights"],
  [/Starting to load model|main: loading model/, "loading weights"],
  [/Initializing a V1 LLM engine|Initializing an LLM engine/, "starting the engine"],
];

/** The phase that a line of a log announces, if it announces one. */
export function phaseOfLine(line: string): string | undefined {
  for (const [pattern, phase] of phases) {
    const match = pattern.exec(line);
    if (match !== null) return phase.replace(/\$(\d)/g, (_, group: string) => match[Number(group)] ?? "");
  }
  return undefined;
}

/** The furthest phase that a piece of log announces. */
export function phaseOfLog(text: string): string | undefined {
  return text.split("\n").reduce<string | undefined>((latest, line) => phaseOfLine(line) ?? latest, undefined);
}

/** The line of a traceback that names what went wrong, and the words in which programs without tracebacks say it. */
const specific =
  /^\s*Value error, |^[\w.]+(?:Error|Exception)\b|\b(?:ValueError|RuntimeError|OSError|ImportError|ModuleNotFoundError|FileNotFoundError|PermissionError|AssertionError|KeyError|TypeError|MemoryError|NotImplementedError)\b|CUDA|out of memory|No available memory|free memory|unrecognized arguments|invalid choice|error: argument|Address already in use|Errno \d+|error loading model|failed to load/i;
const vague = /\b(?:error|exception|failed|fatal|traceback)\b/i;
/** Lines that only point to the one with the reason. */
const generic =
  /See (?:root cause above|stack trace)|Engine ?core initialization failed|Traceback \(most recent call last\)|validation errors? for |For further information visit/i;
/** Lines in which a program says that it is no error. */
const harmless = /^(?:\([^)]*pid=\d+\)\s*)?(?:WARNING|INFO|DEBUG)\b/;
/** Prefixes such as `(EngineCore pid=12) ERROR 11-21 09:30:00 [core.py:700]`, without the indentation that may follow. */
const prefix = /^(?:\([^)]*pid=\d+\) ?)?(?:(?:ERROR|WARNING|INFO|CRITICAL)\s+[\d-]+ [\d:.,]+ ?(?:\[[^\]]*\] ?)?)?/;
/** Code and places in a traceback: what they mention is not what happened. */
const frame = /^\s(?!\s*Value error, )/;
const escapes = /\u001b\[[0-9;]*[A-Za-z]|[\0-\u0008\u000b-\u001f\u007f]/g;
/** Lines after the one with the reason that are kept, when not all can be. */
const keptEnd = 4;

/** Without colours, control characters and empty lines. */
function linesOf(text: string): readonly string[] {
  const lines = text.split(/\r?\n/).map((line) => line.replace(escapes, "").trimEnd());
  return lines.filter((line) => line.trim() !== "" && !line.startsWith("# holdfast"));
}

/** The line of a log that most likely says why an engine ended. */
export function reasonInLog(text: string): string | undefined {
  const lines = linesOf(text);
  return lines[reasonIndex(lines)]?.replace(prefix, "").trim().slice(0, 500);
}

/** The lines of a log to show after a failed start: its last ones, or those up to the reason where that stands further up. */
export function decisiveLines(text: string, count: number): readonly string[] {
  const lines = linesOf(text);
  const reason = reasonIndex(lines);
  if (reason < 0 || reason >= lines.length - count) return lines.slice(-count);
  const end = lines.slice(-keptEnd);
  const upTo = lines.slice(Math.max(0, reason + 1 - (count - keptEnd - 1)), reason + 1);
  return [...upTo, `[... ${lines.length - reason - 1 - keptEnd} lines]`, ...end];
}

function reasonIndex(lines: readonly string[]): number {
  const isSuspect = (line: string): boolean => !generic.test(line) && !harmless.test(line) && !frame.test(line.replace(prefix, ""));
  const found = lines.findLastIndex((line) => isSuspect(line) && specific.test(line.replace(prefix, "")));
  if (found >= 0) return found;
  const hint = lines.findLastIndex((line) => isSuspect(line) && vague.test(line));
  return hint >= 0 ? hint : lines.length - 1;
}

/** What a person has to look at first when a start failed. */
export type StartFailureKind = "gpu-busy" | "launch-config" | "other";

const memory = /out of memory|No available memory|Free memory on device|free memory .* less than/i;
const configuration = /unrecognized arguments|invalid choice|error: argument|^usage: |unknown (?:argument|option)|error: unknown/i;

/** Tells a wrong launch configuration from a GPU without room; argparse ends with code 2. */
export function startFailureKind(code: number | undefined, text: string): StartFailureKind {
  const lines = linesOf(text).filter((line) => !harmless.test(line));
  if (lines.some((line) => memory.test(line))) return "gpu-busy";
  return code === 2 || code === 127 || lines.some((line) => configuration.test(line)) ? "launch-config" : "other";
}
