import type { Command } from "commander";
import { collect, type Runner } from "./runner.ts";

/** Declares the commands that edit registry files or make manifests of them. */
export function declareRegistry(program: Command, run: Runner): void {
  editing(program.command("reset-discovered").requiredOption("--backend <type>", "backend type of the entries, for example ollama; all = every one"))
    .option("--import", "make the entries anew in the same step; without the stores nothing is changed")
    .description("clear discovered entries; declared models keep theirs")
    .action(run(async () => (await import("./commands/reset-discovered.ts")).resetDiscovered));
  editing(program.command("rebuild-ollama"))
    .option("--location <label>", "label for download_location of entries that have none")
    .option("--reset", "make the entries anew instead of filling in what is missing")
    .description("import Ollama models and fill in what their entries do not say yet")
    .action(run(async () => (await import("./commands/rebuild-ollama.ts")).rebuildOllama));
  editing(program.command("purge-deprecated"))
    .option("--placeholders-only", "only generic entries of the first import strategy")
    .description("remove deprecated entries that stand for no bytes, for good")
    .action(run(async () => (await import("./commands/purge-deprecated.ts")).purgeDeprecated));
  editing(program.command("normalize-formats"))
    .option("--rebuild", "also size, files, checksum and place")
    .description("detect container and quantization again; shows what differs, and writes it only with --apply")
    .action(run(async () => (await import("./commands/normalize-formats.ts")).normalizeFormats));
  editing(program.command("sync-downloader").argument("<models.json>", "what a downloader recorded"))
    .description("take a downloader's manifest into the registry")
    .action(run(async () => (await import("./commands/sync-downloader.ts")).syncDownloader));
  previewing(program.command("migrate").argument("[file]", "registry file of any era (default: the registry of this project)"))
    .option("--only <name>", "only this entry; can be repeated", collect)
    .option("--curated-only", "only what a person wrote, not what was imported")
    .option("--stages <file>", "JSON object of stage lists that become roles")
    .description("turn a registry that Holdfast did not write into manifests; changes no file that exists")
    .action(run(async () => (await import("./commands/migrate.ts")).migrate));
}

function previewing(command: Command): Command {
  return command.option("--dry-run", "only show what would be done").option("--apply", "write it");
}

function editing(command: Command): Command {
  return previewing(command).option("--no-backup", "keep no copies of the files as they were");
}
