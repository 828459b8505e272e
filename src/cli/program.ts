import { Command, Option } from "commander";
import { exitCodes } from "../app/exit-code.ts";
import { interruptible } from "./interrupt.ts";
import { reportFailure } from "./report-failure.ts";
import { collect, portNumber, wholeNumber, type Run, type Runner } from "./runner.ts";
import { declareRegistry } from "./registry-commands.ts";
import { declareServing } from "./serving-commands.ts";
import { withSession, type CommonOptions } from "./session.ts";
import { toolVersion } from "./tool-version.ts";

/** Runs one command line and returns the exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let code: number = exitCodes.done;
  const program = buildProgram((result) => {
    code = result;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return await reportFailure(error, args);
  }
}

/** Builds the commander program; `done` receives the exit code. Commands load what they need when they run. */
export function buildProgram(done: (code: number) => void): Command {
  const program = new Command("holdfast")
    .description("GitOps for local AI models: keeps Ollama, Hugging Face and vLLM in the state that Git says, and proves the bytes.")
    .version(toolVersion(), "-V, --version")
    .option("-C, --root <dir>", "project folder (default: the current one)")
    .option("--config <file>", "settings file (default: configs/holdfast.yaml)")
    .option("--set <key=value>", "set one setting, for example prune.grace=0s; can be repeated", collect)
    .option("-o, --output <format[=file]>", "answer as text, json, ... ; with =file into a file; can be repeated", collect)
    .option("--progress <mode>", "auto, tty, plain, json or none")
    .option("--no-color", "no colours")
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .showSuggestionAfterError()
    .exitOverride();
  // Subcommands made by `command()` inherit exitOverride and output settings.
  const run =
    <Options extends object>(load: () => Promise<Run<Options>>, isServer = false) =>
    async (...params: readonly unknown[]): Promise<void> => {
      const command = params.at(-1);
      if (!(command instanceof Command)) throw new TypeError("commander passes the command last");
      const options: Options & CommonOptions = command.optsWithGlobals();
      const names = params
        .slice(0, -2)
        .flatMap((param) => (Array.isArray(param) ? param : param === undefined ? [] : [param]))
        .map(String);
      const execute = await load();
      done(await interruptible((signal) => withSession(options, signal, (session) => execute(session, options, names)), isServer));
    };
  declareLoop(program, run);
  declareBytes(program, run);
  declareLooking(program, run);
  declareServing(program, run);
  declareRegistry(program, run);
  declareTools(program, run);
  program.addHelpText("after", helpText);
  return program;
}

function planning(command: Command): Command {
  return command
    .addOption(new Option("--level <level>", "how closely to look at bytes").choices(["presence", "stat", "full"]))
    .option("--only <name>", "act on this model only; can be repeated", collect)
    .option("--yes-delete <n>", "confirm that exactly N models are deleted at once", wholeNumber)
    .option("--allow-empty", "accept that the manifests declare no model")
    .option("--replace <name>", "replace different bytes that Holdfast did not put there; can be repeated", collect)
    .option("--accept-loss", "believe an observation in which many models vanished at once")
    .option("--locked", "refuse a lock file that does not fit the manifests (default in CI)")
    .option("--no-locked", "accept a lock file that does not fit");
}

function declareLoop(program: Command, run: Runner): void {
  program
    .command("init")
    .argument("[dir]", "folder to start a project in")
    .description("start a project: manifests, settings, editor schemas")
    .action(run(async () => (await import("./commands/init.ts")).init));
  program
    .command("validate")
    .description("check manifests, policies and lock file; all problems at once")
    .action(run(async () => (await import("./commands/validate.ts")).validate));
  planning(program.command("plan").description("show what a reconcile would do; changes nothing"))
    .option("--out <file>", "save the plan for `holdfast apply`")
    .option("--detailed-exitcode", "exit 2 when something is to be done")
    .option("--details", "show digests, preconditions and places")
    .action(run(async () => (await import("./commands/plan.ts")).plan));
  planning(program.command("reconcile").description("make this machine match the manifests"))
    .option("--dry-run", "the same as `holdfast plan`")
    .option("--detailed-exitcode", "with --dry-run: exit 2 when something is to be done")
    .option("--details", "show digests, preconditions and places")
    .action(run(async () => (await import("./commands/reconcile.ts")).reconcileCommand));
  program
    .command("apply")
    .argument("<plan>", "plan file made by `holdfast plan --out`")
    .option("--plan-digest <digest>", "refuse any other plan")
    .option("--dry-run", "only show the plan")
    .description("do what a saved plan says; each action checks again that nothing changed")
    .action(run(async () => (await import("./commands/apply.ts")).apply));
  program
    .command("drift")
    .addOption(new Option("--verify <level>", "how closely to look at bytes").choices(["presence", "stat", "full"]))
    .option("--fail-on <kinds>", "comma-separated: drift, unknown, policy, integrity")
    .option("--details", "show stores, references and ids")
    .description("report every difference; exit 2 on drift")
    .action(run(async () => (await import("./commands/drift.ts")).drift));
}

function declareBytes(program: Command, run: Runner): void {
  program
    .command("verify")
    .argument("[names...]", "models (default: all)")
    .addOption(new Option("--level <level>", "how closely to look").choices(["presence", "stat", "full"]).default("full"))
    .option("--lock", "lock what was verified and is not locked yet")
    .description("read the bytes again and compare them with the lock; exit 2 on violation")
    .action(run(async () => (await import("./commands/verify.ts")).verify));
  program
    .command("lock")
    .argument("[names...]", "models (default: all; entries without a manifest are dropped)")
    .option("--update", "move to what the registry or hub offers now")
    .option("--force", "replace existing entries by what is on this machine")
    .option("--set-expected", "same as --force")
    .option("--dry-run", "only say what would be locked")
    .description("pin the exact bytes of models in holdfast.lock.yaml")
    .action(run(async () => (await import("./commands/lock.ts")).lock));
  program
    .command("unlock")
    .argument("<names...>", "models")
    .option("--dry-run", "only say what would be unlocked")
    .description("take models out of the lock file")
    .action(run(async () => (await import("./commands/lock.ts")).unlock));
  program
    .command("outdated")
    .argument("[names...]", "models (default: all)")
    .option("--detailed-exitcode", "exit 2 when something moved upstream")
    .description("ask registry and hub whether they moved on; pulls nothing")
    .action(run(async () => (await import("./commands/outdated.ts")).outdated));
  program
    .command("import")
    .description("write what the stores hold into the registry; pulls and deletes nothing")
    .option("--dry-run", "only say what would be imported")
    .option("--deprecate-placeholders", "deprecate generic entries of the first import strategy")
    .action(run(async () => (await import("./commands/import.ts")).importModels));
  program
    .command("adopt")
    .argument("[names...]", "names or references of unmanaged models (default: all)")
    .option("--dry-run", "print the manifests instead of writing them")
    .description("write manifests and lock for what this machine already has, so that the next plan is empty")
    .action(run(async () => (await import("./commands/adopt.ts")).adopt));
}

function declareLooking(program: Command, run: Runner): void {
  program
    .command("status")
    .description("one row per declared model: desired, applied, drift, health")
    .action(run(async () => (await import("./commands/status.ts")).status));
  program
    .command("list")
    .alias("ls")
    .option("--role <role>", "only models with this role")
    .option("--backend <backend>", "only models of this backend type")
    .option("--show-deprecated", "show deprecated models too")
    .option("--include-testing", "show models that are marked as testing")
    .description("the models in the registry")
    .action(run(async () => (await import("./commands/list.ts")).list));
  program
    .command("show")
    .argument("<name>", "model, or a plan file")
    .description("everything known about one model, or a saved plan")
    .action(run(async () => (await import("./commands/show.ts")).show));
}

function declareTools(program: Command, run: Runner): void {
  program
    .command("schema")
    .argument("[kind]", "model, role, backend, policy, settings, lock, plan, drift-report, manifest")
    .description("print a JSON Schema")
    .action(run(async () => (await import("./commands/schema.ts")).schema));
  program
    .command("config")
    .description("each setting, its value and where it comes from")
    .action(run(async () => (await import("./commands/config.ts")).config));
  program
    .command("doctor")
    .description("check everything a pass needs")
    .action(run(async () => (await import("./commands/doctor.ts")).doctor));
  program
    .command("completion")
    .addArgument(program.createArgument("<shell>", "shell").choices(["bash", "zsh", "fish"]))
    .description("print a completion script")
    .action(async (shell: string) => {
      process.stdout.write((await import("./commands/completion.ts")).completionScript(shell, program));
    });
  const mirror = program.command("mirror").description("serve a folder of models to others");
  mirror
    .command("serve")
    .argument("<dir>", "folder of models")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port; 0 = any free one", portNumber, 8420)
    .option("--allow-public", "allow an address that other machines reach; there is no authentication")
    .description("speak the Hub's and the Ollama registry's read protocol over a folder, read-only")
    .action(run(async () => (await import("./commands/mirror-serve.ts")).mirrorServe, true));
}

const helpText = `
Examples:
  holdfast init my-models && cd my-models
  holdfast plan                       what would happen
  holdfast reconcile                  make it so
  holdfast lock                       pin the bytes
  holdfast drift --verify full        read every byte; exit 2 when one differs

Exit codes: 0 done or in sync, 2 drift or lock violation, 20 manifests invalid, 21 denied by policy or guard,
22 plan stale, 23 another instance is at work, 24 something could not be observed, 25 wrong bytes, 26 done in part.`;
