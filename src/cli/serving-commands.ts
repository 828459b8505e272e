import type { Command } from "commander";
import { collect, wholeNumber, type Runner } from "./runner.ts";

function choosing(command: Command): Command {
  return command
    .option("--require <capability>", "only models that can do this; can be repeated", collect)
    .option("--require-vision", "same as --require vision")
    .option("--min-context <tokens>", "smallest context length", wholeNumber)
    .option("--backend <backend>", "only models on this backend, by its name or type")
    .option("--include-testing", "also models that are marked as testing")
    .option("--profile <name>", "deployment profile instead of this machine's own; none = no limits")
    .option("--no-check", "do not ask the backends whether they answer");
}

function byRole(command: Command): Command {
  return choosing(command)
    .option("--prefer <name>", "take this model where it qualifies")
    .option("--show-deprecated", "also deprecated models")
    .option("--lowest-priority", "the lower priority number wins")
    .option("--explain", "show every candidate and why it lost");
}

/** Declares the commands about what is served and by what. */
export function declareServing(program: Command, run: Runner): void {
  declareSwitching(program, run);
  byRole(program.command("select").argument("<name>", "model, alias, served id, role, ROLE/default or ROLE/MODEL"))
    .description("where to send requests for a model or a role, and under which id")
    .action(run(async () => (await import("./commands/select.ts")).selectCommand));
  byRole(program.command("resolve").option("--role <role>", "role to resolve; can be repeated (default: caption, keywords, description)", collect))
    .description("the model of each role")
    .action(run(async () => (await import("./commands/resolve.ts")).resolve));
  byRole(program.command("recommend").argument("<role>", "role, or general, coding, fast, tool-use, vision"))
    .description("the model on this machine that suits a role or a purpose, or none")
    .action(run(async () => (await import("./commands/recommend.ts")).recommendCommand));
  program
    .command("show-backends")
    .option("--json", "same as -o json")
    .option("--json-output", "same as -o json")
    .description("every declared endpoint and whether it answers now")
    .action(run(async () => (await import("./commands/show-backends.ts")).showBackends));
  program
    .command("metrics")
    .option("--name <name>", "one model only")
    .description("hash, lock and measured speed of the models in the registry")
    .action(run(async () => (await import("./commands/metrics.ts")).metrics));
  probing(program.command("probe-vision").argument("<name>", "model").argument("<image>", "picture"))
    .option("--force", "ask even a model that cannot see")
    .description("let a model describe a picture, and keep whether it could")
    .action(run(async () => (await import("./commands/probe-vision.ts")).probeVision));
  probing(program.command("probe-text").argument("<name>", "model"))
    .description("let a model answer a question, and measure it")
    .action(run(async () => (await import("./commands/probe-text.ts")).probeText));
}

function probing(command: Command): Command {
  return choosing(command)
    .option("--prompt <text>", "ask this instead; can be repeated", collect)
    .option("--proxy <url>", "send it through this endpoint, with the model's own name")
    .option("--max-tokens <n>", "longest answer", wholeNumber)
    .option("--timeout <seconds>", "until the last byte of an answer", wholeNumber);
}

function declareSwitching(program: Command, run: Runner): void {
  program
    .command("activate-model")
    .argument("[name]", "model, alias or served id")
    .option("--stop", "serve nothing")
    .option("--backend <backend>", "with --stop: which backend, when there are several")
    .description("serve this model on its single-port backend now, or the previous one again when it does not come up")
    .action(run(async () => (await import("./commands/activate-model.ts")).activateModel));
  program
    .command("current-model")
    .description("what every single-port backend serves right now; changes nothing")
    .action(run(async () => (await import("./commands/current-model.ts")).currentModel));
  program
    .command("logs")
    .argument("<backend>", "backend whose engine Holdfast starts")
    .option("-f, --follow", "go on with what is written from now on")
    .option("-n, --lines <n>", "lines to begin with (default: 50)", wholeNumber)
    .option("--model <name>", "log of a model that was served earlier")
    .description("what the engine of a backend wrote")
    .action(run(async () => (await import("./commands/logs.ts")).logs, true));
}
