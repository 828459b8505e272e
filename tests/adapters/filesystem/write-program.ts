// Writes one file through the disk adapter: the program that the fault tests run under strace or kill.
import { createDisk } from "../../../src/adapters/filesystem/disk.ts";
import { HoldfastError } from "../../../src/domain/failure.ts";

const [path = "", text = "", repeat = "1"] = process.argv.slice(2);
const disk = createDisk({ quarantineRoot: `${path}.quarantine` });
try {
  for (let round = 0; round < Number(repeat); round += 1) {
    await disk.writeDurable(path, `${text}${round}`.repeat(20_000), { mode: 0o640 });
    if (round === 0) process.stdout.write("written\n");
  }
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error;
  process.stdout.write(JSON.stringify(error.failure));
  process.exitCode = 1;
}
