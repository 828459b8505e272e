// Swaps a folder for a link to another one and back, as fast as it can, until its input ends.
import { renameSync, rmSync, symlinkSync, unlinkSync } from "node:fs";

const [folder = "", elsewhere = ""] = process.argv.slice(2);
let running = true;
process.stdin.on("end", () => (running = false)).resume();

function swap(): void {
  for (let round = 0; round < 50; round += 1) {
    attempt(() => rmSync(`${folder}.real`, { recursive: true, force: true }));
    attempt(() => renameSync(folder, `${folder}.real`));
    attempt(() => symlinkSync(elsewhere, folder));
    attempt(() => unlinkSync(folder));
    attempt(() => renameSync(`${folder}.real`, folder));
  }
  if (running) setImmediate(swap);
}

/** The victim creates missing folders, so any step can find that it came too late. */
function attempt(step: () => void): void {
  try {
    step();
  } catch {
    return;
  }
}

process.stdout.write("ready\n");
swap();
