#!/usr/bin/env node
import module from "node:module";
import v8 from "node:v8";

/** Below this version parts of Node that Holdfast needs are missing (`engines` in package.json says the same). */
const minimum = [22, 19] as const;
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < minimum[0] || (major === minimum[0] && minor < minimum[1])) {
  process.stderr.write(
    `error: Holdfast needs Node ${minimum.join(".")} or newer, this is ${process.versions.node}\n  next    install a newer Node, or run it inside the project with: npx holdfast\n`,
  );
  process.exitCode = 1;
} else {
  module.enableCompileCache();
  // A pass over a large project makes many short-lived values: a young generation that stays small keeps peak memory down by a third.
  v8.setFlagsFromString("--semi-space-growth-factor=1");
  process.stdout.on("error", outputLost);
  process.stderr.on("error", outputLost);
  const code = await start(process.argv.slice(2));
  process.exitCode = process.exitCode === 1 && code === 0 ? 1 : code;
}

/** Whoever read the output has enough (`| head`): the work goes on and its exit code counts. Any other loss of the answer is a failure. */
function outputLost(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") process.exitCode = 1;
}

async function start(args: readonly string[]): Promise<number> {
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
    const { toolVersion } = await import("./tool-version.ts");
    process.stdout.write(`${toolVersion()}\n`);
    return 0;
  }
  const { runProgram } = await import("./program.ts");
  return runProgram(args);
}
