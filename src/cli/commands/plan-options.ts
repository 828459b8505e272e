import type { PreviewOptions } from "../../app/preview.ts";
import type { PlanOptions } from "../../domain/plan/plan-input.ts";
import type { VerificationLevel } from "../../domain/observed.ts";
import type { CommonOptions, Session } from "../session.ts";
import type { Host } from "../../app/host.ts";

/** Options of the commands that make a plan. */
export interface PlanningOptions extends CommonOptions {
  readonly level?: VerificationLevel;
  readonly only?: readonly string[];
  readonly yesDelete?: number;
  readonly allowEmpty?: boolean;
  readonly replace?: readonly string[];
  readonly acceptLoss?: boolean;
  readonly detailedExitcode?: boolean;
  readonly details?: boolean;
  readonly out?: string;
  readonly dryRun?: boolean;
}

/** The settings' way of planning with what the command line adds. */
export async function previewOptions(session: Session, host: Host, options: PlanningOptions): Promise<PreviewOptions> {
  const { planDefaults } = host;
  const plan: PlanOptions = {
    ...planDefaults,
    prune: { ...planDefaults.prune, confirmedDeletions: options.yesDelete ?? 0, allowEmpty: options.allowEmpty ?? false },
    replace: options.replace ?? [],
    only: options.only ?? [],
    acceptLoss: options.acceptLoss ?? false,
  };
  return { level: options.level ?? session.settings.verify.level, plan, purpose: "server", progress: await session.progress() };
}
