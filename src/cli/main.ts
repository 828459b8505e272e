#!/usr/bin/env node
import { enableCompileCache } from "node:module";

enableCompileCache();
const args = process.argv.slice(2);
if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) {
  const { toolVersion } = await import("./tool-version.ts");
  process.stdout.write(`${toolVersion()}\n`);
} else {
  const { runProgram } = await import("./program.ts");
  process.exitCode = await runProgram(args);
}
