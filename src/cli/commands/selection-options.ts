import { checkTimeout } from "../../app/selection/backends.ts";
import { readSelection, type SelectionView } from "../../app/selection/select.ts";
import type { Host } from "../../app/host.ts";
import type { Project } from "../../app/read-project.ts";
import { failed } from "../../domain/failure.ts";
import type { Refused } from "../../domain/selection/selection.ts";
import type { SelectionRequest } from "../../domain/selection/hurdles.ts";
import type { CommonOptions, Session } from "../session.ts";

/** Options of every command that chooses a model. */
export type SelectionOptions = CommonOptions & {
  readonly require?: readonly string[];
  readonly requireVision?: boolean;
  readonly minContext?: number;
  readonly prefer?: string;
  readonly backend?: string;
  readonly includeTesting?: boolean;
  readonly showDeprecated?: boolean;
  readonly lowestPriority?: boolean;
  readonly profile?: string;
  readonly check?: boolean;
  readonly explain?: boolean;
};

/** What is asked, without the name. */
export function requestOf(session: Session, options: SelectionOptions): Omit<SelectionRequest, "asked"> {
  const { minContext, prefer, backend } = options;
  const words = (options.require ?? []).flatMap((text) =>
    text
      .split(",")
      .map((word) => word.trim())
      .filter((word) => word !== ""),
  );
  return {
    requires: [...words, ...(options.requireVision === true ? ["vision"] : [])],
    ...(minContext === undefined ? {} : { minContext }),
    ...(prefer === undefined ? {} : { prefer }),
    ...(backend === undefined ? {} : { backend }),
    includeTesting: options.includeTesting ?? session.settings.includeTestModels,
    includeDeprecated: options.showDeprecated ?? false,
    priority: options.lowestPriority === true ? "lower-wins" : "higher-wins",
  };
}

/** Looks at what can be selected; `--no-check` asks no backend whether it answers. */
export async function openSelection(
  session: Session,
  host: Host,
  project: Extract<Project, { state: "valid" }>,
  options: SelectionOptions,
): Promise<SelectionView> {
  const { connectCheckers, profileOfMachine } = await import("../../wiring/probe.ts");
  const { backends } = host.withDefaults(project.desired, await host.state.load());
  const [profile, checkers] = await Promise.all([
    profileOfMachine(options.profile, process.env, session.signal),
    options.check === false ? undefined : connectCheckers(backends, checkTimeout, process.env),
  ]);
  return readSelection(
    host,
    project,
    { timeout: checkTimeout, ...(profile === undefined ? {} : { profile }), ...(checkers === undefined ? {} : { checkers }) },
    session.signal,
  );
}

/** A refusal as the failure that ends a command. */
export function failureOf({ kind, message, remedy }: Refused): Error {
  const code =
    kind === "unreachable" ? "unreachable" : kind === "lacks-capability" ? "unsupported" : kind === "ambiguous" ? "invalid-input" : "not-found";
  return failed(code, message, { ...(kind === "unreachable" ? { retry: "transient" } : {}), ...(remedy === undefined ? {} : { remedy }) });
}
