import { spawnSync } from "node:child_process";
import { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createProgress, type ProgressStream } from "../../../src/cli/render/progress.ts";
import { resolveProgressMode, type ProgressMode } from "../../../src/cli/render/progress-mode.ts";
import { redact } from "../../../src/report/redact.ts";
import type { ProgressEvent } from "../../../src/ports/progress.ts";

/** A stream that keeps what was written. */
class Recorder extends Writable implements ProgressStream {
  readonly isTTY: boolean;
  readonly columns = 80;
  text = "";

  constructor(terminal: boolean) {
    super({ decodeStrings: false });
    this.isTTY = terminal;
  }

  override _write(chunk: unknown, _encoding: string, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

const start = Date.parse("2026-11-21T11:50:02.000Z");

/** Feeds events, each with the seconds since the start, and returns what was written. */
function written(
  mode: ProgressMode,
  events: readonly (readonly [number, ProgressEvent])[],
  terminal = false,
  env: Readonly<Record<string, string>> = {},
): string {
  const stream = new Recorder(terminal);
  let at = start;
  const progress = createProgress({ mode, stream, env, now: () => at, toolVersion: "0.1.0", colour: false });
  for (const [seconds, event] of events) {
    at = start + seconds * 1000;
    progress.sink(event);
  }
  progress.close();
  return stream.text;
}

const total = 5_200_000_000;
const pull: readonly (readonly [number, ProgressEvent])[] = [
  [0, { type: "start", id: "a1", object: "model/qwen3-8b", verb: "pull", total, detail: "registry.ollama.ai/library/qwen3:8b" }],
  [1, { type: "progress", id: "a1", phase: "download", done: 10_000_000, total }],
  [20, { type: "progress", id: "a1", phase: "download", done: 300_000_000, total }],
  [31, { type: "progress", id: "a1", phase: "download", done: 500_000_000, total }],
  [40, { type: "progress", id: "a1", phase: "download", done: 1_100_000_000, total }],
  [70, { type: "stalled", id: "a1", seconds: 30, done: 1_100_000_000, next: "connecting again (try 2)" }],
  [72, { type: "progress", id: "a1", phase: "download", done: 900_000_000, total }],
  [300, { type: "progress", id: "a1", phase: "download", done: total, total }],
  [301, { type: "note", id: "a1", message: "writing the manifest" }],
  [302, { type: "note", id: "a1", message: "writing the manifest" }],
  [303, { type: "progress", id: "a1", phase: "verify", done: 2_600_000_000, total }],
  [339, { type: "end", id: "a1", result: "applied", detail: "sha256:9f2c 5.2 GB" }],
];

describe("plain progress", () => {
  it("prints a line at the start, every 10 % or 30 s, for a stall, for each note once and for the result", () => {
    expect(written("plain", pull)).toMatchInlineSnapshot(`
      "11:50:02 pull model/qwen3-8b start 5.2 GB registry.ollama.ai/library/qwen3:8b
      11:50:03 pull model/qwen3-8b download 0% 0.0/5.2 GB
      11:50:33 pull model/qwen3-8b download 9% 0.5/5.2 GB 16.3 MB/s eta 4m48s
      11:50:42 pull model/qwen3-8b download 21% 1.1/5.2 GB 27.9 MB/s eta 2m27s
      11:51:12 pull model/qwen3-8b stalled 30s at 1.1 GB, connecting again (try 2)
      11:51:14 pull model/qwen3-8b download 17% 0.9/5.2 GB
      11:55:02 pull model/qwen3-8b download 100% 5.2/5.2 GB 18.9 MB/s
      11:55:03 pull model/qwen3-8b writing the manifest
      11:55:05 pull model/qwen3-8b verify 50% 2.6/5.2 GB
      11:55:41 pull model/qwen3-8b applied sha256:9f2c 5.2 GB 5m39s
      "
    `);
  });

  it("never writes a carriage return or an escape sequence, whatever names and messages are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const events: readonly ProgressEvent[] = [
          { type: "start", id: text, object: text, verb: text, detail: text },
          { type: "progress", id: text, phase: `p${text}`, done: 1 },
          { type: "stalled", id: text, seconds: 30, done: 1, next: text },
          { type: "note", message: text },
          { type: "end", id: text, result: "failed", detail: text },
        ];
        for (const mode of ["plain", "json"] as const) {
          const lines = written(
            mode,
            events.map((event) => [0, event] as const),
          );
          expect(lines).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
          expect(lines.split("\n")).toHaveLength(events.length + (mode === "json" ? 2 : 1));
          if (mode === "json" && text.isWellFormed() && redact(text) === text)
            expect(JSON.parse(lines.split("\n")[1] ?? "")).toMatchObject({ type: "action_start", object: text });
        }
      }),
      { numRuns: 60 },
    );
  });

  it("counts bytes only when the size is not known", () => {
    const events: readonly (readonly [number, ProgressEvent])[] = [
      [0, { type: "start", id: "a", object: "model/x", verb: "hash" }],
      [10, { type: "progress", id: "a", phase: "read", done: 5_000_000 }],
      [20, { type: "progress", id: "a", phase: "read", done: 9_000_000 }],
      [45, { type: "progress", id: "a", phase: "read", done: 30_000_000 }],
    ];
    expect(written("plain", events)).toMatchInlineSnapshot(`
      "11:50:02 hash model/x start
      11:50:12 hash model/x read 5.0 MB
      11:50:47 hash model/x read 30.0 MB 714.3 kB/s
      "
    `);
  });
});

describe("JSON progress", () => {
  it("says the format first, then one object per event, and is quiet between", () => {
    const lines = written("json", [
      ...pull.slice(0, 3),
      [20.1, { type: "progress", id: "a1", phase: "download", done: 310_000_000, total }],
      ...pull.slice(5, 6),
      ...pull.slice(9),
    ]);
    expect(lines).toMatchInlineSnapshot(`
      "{"type":"version","format":"1.0","tool":"0.1.0","ts":"2026-11-21T11:50:02.000Z"}
      {"type":"action_start","action":"a1","object":"model/qwen3-8b","verb":"pull","total":5200000000,"detail":"registry.ollama.ai/library/qwen3:8b","ts":"2026-11-21T11:50:02.000Z"}
      {"type":"action_progress","action":"a1","phase":"download","done":10000000,"total":5200000000,"ts":"2026-11-21T11:50:03.000Z"}
      {"type":"action_progress","action":"a1","phase":"download","done":300000000,"total":5200000000,"ts":"2026-11-21T11:50:22.000Z"}
      {"type":"action_stalled","action":"a1","seconds":30,"done":1100000000,"next":"connecting again (try 2)","ts":"2026-11-21T11:51:12.000Z"}
      {"type":"note","action":"a1","message":"writing the manifest","ts":"2026-11-21T11:55:04.000Z"}
      {"type":"action_progress","action":"a1","phase":"verify","done":2600000000,"total":5200000000,"ts":"2026-11-21T11:55:05.000Z"}
      {"type":"action_end","action":"a1","result":"applied","detail":"sha256:9f2c 5.2 GB","ts":"2026-11-21T11:55:41.000Z"}
      "
    `);
  });

  it("SEC-20 no secret is in an event", () => {
    const secret = `hf_${"a1B2".repeat(8)}`;
    for (const mode of ["json", "plain"] as const)
      expect(written(mode, [[0, { type: "note", message: `GET with ${secret}` }]])).not.toContain(secret);
  });
});

describe("bars", () => {
  it("draws one bar per action in place, keeps results above them and never hides the cursor", () => {
    const text = written(
      "tty",
      [...pull.slice(0, 1), [0, { type: "start", id: "a2", object: "model/embed-small", verb: "hash" }], ...pull.slice(1)],
      true,
    );
    expect(text).not.toContain("\u001b[?25l");
    expect(screenOf(text)).toMatchInlineSnapshot(`
      "pull model/qwen3-8b stalled 30s at 1.1 GB, connecting again (try 2)
      pull model/qwen3-8b writing the manifest
      applied  pull model/qwen3-8b sha256:9f2c 5.2 GB 5m39s
      "
    `);
  });

  it("shows name, share, bytes, speed and time left while an action runs, and what it does when it moves no bytes", () => {
    const stream = new Recorder(true);
    let at = start;
    const progress = createProgress({ mode: "tty", stream, env: {}, now: () => at, toolVersion: "0", colour: false });
    const events: readonly (readonly [number, ProgressEvent])[] = [
      ...pull.slice(0, 2),
      [2, { type: "start", id: "a2", object: "backend/chat", verb: "activate" }],
      [3, { type: "progress", id: "a2", phase: "waiting for health" }],
      ...pull.slice(2, 5),
    ];
    for (const [seconds, event] of events) {
      at = start + seconds * 1000;
      progress.sink(event);
    }
    expect(screenOf(stream.text)).toMatchInlineSnapshot(`
      "pull model/qwen3-8b          [###---------]  21% 1.1/5.2 GB 27.9 MB/s eta 2m27s
      activate backend/chat        waiting for health
      "
    `);
  });

  it("leaves the cursor at the start of a fresh line after every write, so that an interrupt leaves a usable terminal", () => {
    const stream = new Recorder(true);
    const { sink } = createProgress({ mode: "tty", stream, env: {}, now: () => start, toolVersion: "0", colour: false });
    for (const [, event] of pull.slice(0, 6)) {
      sink(event);
      expect(stream.text.endsWith("\n")).toBe(true);
    }
  });

  it("stays within the width of the terminal and shows at most eight bars", () => {
    const events = Array.from({ length: 12 }, (_unused, index): readonly [number, ProgressEvent] => [
      index,
      { type: "start", id: `a${index}`, object: `model/${"long-name-".repeat(12)}${index}`, verb: "pull", total },
    ]);
    const stream = new Recorder(true);
    let at = start;
    const progress = createProgress({ mode: "tty", stream, env: {}, now: () => at, toolVersion: "0", colour: false });
    for (const [seconds, event] of events) {
      at = start + seconds * 1000;
      progress.sink(event);
    }
    const lines = screenOf(stream.text).trimEnd().split("\n");
    expect(lines).toHaveLength(9);
    expect(lines.at(-1)).toBe("... and 4 more");
    for (const line of lines) expect(line.length).toBeLessThan(80);
  });
});

describe("the mode of progress", () => {
  it("draws bars only on a terminal that obeys, and automatically only outside CI", () => {
    expect(resolveProgressMode("auto", true, {})).toBe("tty");
    expect(resolveProgressMode("auto", false, {})).toBe("plain");
    expect(resolveProgressMode("auto", true, { CI: "true" })).toBe("plain");
    expect(resolveProgressMode("auto", true, { CI: "false" })).toBe("tty");
    expect(resolveProgressMode("auto", true, { TERM: "dumb" })).toBe("plain");
    expect(resolveProgressMode("tty", true, { CI: "true" })).toBe("tty");
    expect(resolveProgressMode("tty", false, {})).toBe("plain");
    expect(resolveProgressMode("json", true, {})).toBe("json");
  });

  it("writes no escape sequence to anything that is not a terminal", () => {
    for (const mode of ["auto", "tty", "plain", "json", "none"] as const) expect(written(mode, pull)).not.toContain("\u001b");
  });

  it("writes nothing when asked for nothing", () => {
    expect(written("none", pull, true)).toBe("");
  });
});

describe("a process that shows progress", () => {
  const script = (mode: string): string => `
    import { createProgress } from "./src/cli/render/progress.ts";
    const { sink, close } = createProgress({ mode: "${mode}", stream: process.stderr, env: process.env, now: Date.now, toolVersion: "0" });
    sink({ type: "start", id: "a", object: "model/x", verb: "pull", total: 10 });
    sink({ type: "progress", id: "a", phase: "download", done: 5, total: 10 });
    process.stdout.write("answer");`;

  it.each(["auto", "json"])("ends by itself with an action still running, and keeps stdout clean (%s)", (mode) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", script(mode)], {
      encoding: "utf8",
      timeout: 30_000,
      env: { ...process.env, NO_COLOR: "1" },
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "answer" });
    expect(stderr).toContain("model/x");
    expect(stderr).not.toContain("\u001b");
  });
});

/** What a terminal shows after the given text: understands line feeds, cursor up and erase below, the only codes that are used. */
function screenOf(text: string): string {
  const lines: string[] = [""];
  for (const part of text.split(/(\n|\u001b\[\d+A|\u001b\[J)/)) {
    const up = /^\u001b\[(\d+)A$/.exec(part);
    if (part === "\n") lines.push("");
    else if (up !== null) lines.splice(Math.max(0, lines.length - 1 - Number(up[1])), Number(up[1]));
    else if (part !== "\u001b[J") lines[lines.length - 1] += part;
  }
  return lines.join("\n");
}
