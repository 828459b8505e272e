import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { createPaint } from "../../../src/cli/render/style.ts";

/** Paints one word in a process of its own, because the decision depends on its environment and streams. */
function painted(env: Readonly<Record<string, string>>, enabled = true): string {
  const script = `import { createPaint } from "./src/cli/render/style.ts"; process.stdout.write(createPaint(process.stdout, ${enabled})("error", "word"));`;
  const { NO_COLOR: _noColor, FORCE_COLOR: _force, ...rest } = process.env;
  return spawnSync(process.execPath, ["--input-type=module-typescript", "-e", script], { encoding: "utf8", env: { ...rest, ...env } }).stdout;
}

describe("createPaint", () => {
  it("leaves text alone where nobody sees colour", () => {
    expect(painted({})).toBe("word");
    expect(painted({ NO_COLOR: "1" })).toBe("word");
  });

  it("paints when it is told to, but not against --no-color", () => {
    expect(painted({ FORCE_COLOR: "1" })).toMatch(/^\u001b\[.*word\u001b\[.*$/);
    expect(painted({ FORCE_COLOR: "1" }, false)).toBe("word");
  });

  it("paints nothing where there is no text", () => {
    expect(createPaint(process.stdout)("error", "")).toBe("");
  });
});
