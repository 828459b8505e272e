import type { Lifecycle, Model, RoleClaim } from "../domain/model.ts";
import type { Metadata } from "../domain/resource.ts";
import { keepLoadedFindings } from "./keep-loaded-findings.ts";
import { milliseconds, type DecodeOptions, type Decoded } from "./decode-context.ts";
import { decodeSource } from "./decode-source.ts";
import type { Finding } from "./finding.ts";
import { quote } from "./quote.ts";
import { resolveDir } from "./resolve-dir.ts";
import type { WrittenLaunch, WrittenLifecycle, WrittenModel, WrittenRole, WrittenSpec } from "./written/model.ts";

/** Decodes a Model that its schema has accepted. */
export function decodeModel(written: WrittenModel, metadata: Metadata, options: DecodeOptions): Decoded<Model> {
  const { spec } = written;
  const source = decodeSource(spec.source, options);
  const launch = decodeLaunch(spec.launch, options);
  const value: Model = {
    kind: "Model",
    metadata,
    ...(spec.displayName === undefined ? {} : { displayName: spec.displayName }),
    source: source.value,
    ...(spec.backend === undefined ? {} : { backend: spec.backend }),
    ...(spec.servedModelId === undefined ? {} : { servedModelId: spec.servedModelId }),
    launch: launch.value,
    ...decodeKeepLoaded(spec.keepLoaded),
    roles: spec.roles.map(decodeRoleClaim),
    aliases: [...new Set(spec.aliases)],
    capabilities: spec.capabilities,
    ...(spec.license === undefined ? {} : { license: spec.license }),
    lifecycle: decodeLifecycle(spec.lifecycle),
    protect: spec.protect,
    lock: { required: spec.lock.required },
    testing: spec.testing,
    generationDefaults: spec.generationDefaults,
    extra: spec.metadata,
  };
  return { value, findings: [...source.findings, ...launch.findings, ...ownFindings(value, written)] };
}

function decodeRoleClaim(written: WrittenRole): RoleClaim {
  return typeof written === "string" ? { role: written, priority: 0 } : { role: written.role, priority: written.priority ?? 0 };
}

function decodeKeepLoaded(written: WrittenSpec["keepLoaded"]): Pick<Model, "keepLoaded"> {
  if (written === undefined || written === false) return {};
  return { keepLoaded: written === true ? "forever" : milliseconds(written) };
}

function decodeLifecycle(written: WrittenLifecycle): Lifecycle {
  const { state, reason, replacedBy, purgeAfter } = written;
  return {
    state,
    ...(reason === undefined ? {} : { reason }),
    ...(replacedBy === undefined ? {} : { replacedBy }),
    ...(purgeAfter === undefined ? {} : { purgeAfter: milliseconds(purgeAfter) }),
  };
}

function decodeLaunch(written: WrittenLaunch, options: DecodeOptions): Decoded<Model["launch"]> {
  const base = { args: written.args, env: written.env };
  if (written.chatTemplate === undefined) return { value: base, findings: [] };
  const resolved = resolveDir(written.chatTemplate, options);
  if ("dir" in resolved) return { value: { ...base, chatTemplate: resolved.dir }, findings: [] };
  return {
    value: base,
    findings: [
      {
        code: "path.unknown-home",
        path: ["spec", "launch", "chatTemplate"],
        message: `${quote(written.chatTemplate)} ${resolved.problem}`,
        remedy: resolved.remedy,
      },
    ],
  };
}

function ownFindings(model: Model, written: WrittenModel): readonly Finding[] {
  const findings: Finding[] = [];
  const { name } = model.metadata;
  if (name === "none")
    findings.push({
      code: "model.reserved-name",
      path: ["metadata", "name"],
      message: "a model cannot be called none: Backend.active uses the word for no model",
      remedy: "choose another name",
    });
  const roles = model.roles.map(({ role }) => role);
  const twice = roles.find((role, index) => roles.indexOf(role) !== index);
  if (twice !== undefined)
    findings.push({
      code: "model.role-twice",
      path: ["spec", "roles", roles.lastIndexOf(twice)],
      message: `the role ${quote(twice)} is claimed twice`,
      remedy: "keep the one with the priority you want",
    });
  const { purgeAfter, replacedBy, state } = model.lifecycle;
  if (state === "active" && (purgeAfter !== undefined || replacedBy !== undefined)) {
    findings.push({
      severity: "warning",
      code: "model.lifecycle-idle",
      path: ["spec", "lifecycle"],
      message: "replacedBy and purgeAfter have no effect while the state is active",
      remedy: "add state: deprecated",
    });
  }
  findings.push(...keepLoadedFindings(model));
  if (written.spec.lock.required && model.source.kind === "remote") {
    findings.push({
      code: "model.lock-remote",
      path: ["spec", "lock", "required"],
      message: "a remote model has no bytes here that could be locked",
      remedy: "remove lock.required",
    });
  }
  return findings;
}
