import { isEngine, ownArgument } from "../domain/activation/arguments.ts";
import type { Backend } from "../domain/backend.ts";
import type { Diagnostic } from "../domain/diagnostic.ts";
import type { Model } from "../domain/model.ts";
import { diagnosticOf, type Finding } from "./finding.ts";
import { suggestion } from "./nearest.ts";
import { mayExist, nameOf, type Project } from "./project.ts";
import { quote } from "./quote.ts";

/** Every model has a backend that can serve it, and a successor that exists. */
export function checkModels(project: Project): readonly Diagnostic[] {
  return project.models.flatMap((model) =>
    [...backendFindings(model.value, project), ...successorFindings(model.value, project)].map((finding) => diagnosticOf(model.document, finding)),
  );
}

function backendFindings(model: Model, project: Project): readonly Finding[] {
  const path = ["spec", "backend"];
  if (model.backend === undefined) return missingBackend(model, project);
  const backend = project.backends.find((candidate) => nameOf(candidate) === model.backend)?.value;
  if (backend !== undefined) return unfitBackend(model, backend);
  if (mayExist(project, "Backend", model.backend)) return [];
  return [
    {
      code: "model.unknown-backend",
      path,
      message: `no Backend is called ${quote(model.backend)}`,
      remedy: suggestion(model.backend, project.backends.map(nameOf)) ?? "declare a Backend of that name",
    },
  ];
}

function missingBackend(model: Model, project: Project): readonly Finding[] {
  const path = ["spec"];
  if (model.source.kind === "remote") {
    return [
      {
        severity: "warning",
        code: "model.remote-without-backend",
        path,
        message: "nothing says where the remote model is served",
        remedy: "add backend: with the name of a Backend",
      },
    ];
  }
  const candidates = project.backends.filter((backend) => backend.value.type === "ollama").map(nameOf);
  if (model.source.kind !== "ollama" || candidates.length === 1) return [];
  if (candidates.length === 0) {
    if (!project.complete || project.broken.has("Backend")) return [];
    return [
      {
        code: "model.no-ollama-backend",
        path,
        message: "no Backend of type ollama is declared, and the name ollama is taken by another type",
        remedy: "declare a Backend of type ollama",
      },
    ];
  }
  return [
    {
      code: "model.backend-ambiguous",
      path,
      message: `there are ${candidates.length} Ollama backends and the model names none`,
      remedy: `add backend: with one of ${candidates.join(", ")}`,
    },
  ];
}

function unfitBackend(model: Model, backend: Backend): readonly Finding[] {
  const path = ["spec", "backend"];
  const { kind } = model.source;
  const { name } = backend.metadata;
  if (kind === "ollama" && backend.type !== "ollama") {
    return [
      {
        code: "model.backend-type",
        path,
        message: `the source is Ollama, but Backend ${quote(name)} is of type ${backend.type}`,
        remedy: "name a Backend of type ollama, or take the model from another source",
      },
    ];
  }
  if (backend.type === "ollama" && (kind === "huggingface" || kind === "path")) {
    const remedy = "take it by source ollama, for example hf.co/org/repo:Q4_K_M, or name another backend";
    return [
      {
        code: "model.backend-type",
        path,
        message: `Backend ${quote(name)} is Ollama, which serves only what it has pulled itself, not a ${kind} source`,
        remedy,
      },
    ];
  }
  const own = isEngine(backend.type) ? ownArgument(backend.type, model) : undefined;
  return own === undefined
    ? []
    : [
        {
          code: "model.own-argument",
          path: ["spec", "launch", "args"],
          message: own,
          remedy: "remove it: servedModelId, and host and port of the Backend, say the same",
        },
      ];
}

function successorFindings(model: Model, project: Project): readonly Finding[] {
  const { replacedBy } = model.lifecycle;
  if (replacedBy === undefined) return [];
  const path = ["spec", "lifecycle", "replacedBy"];
  if (replacedBy === model.metadata.name)
    return [{ code: "model.replaced-by-itself", path, message: "a model cannot replace itself", remedy: "name the successor" }];
  const successor = project.models.find((candidate) => nameOf(candidate) === replacedBy)?.value;
  if (successor?.lifecycle.state === "deprecated") {
    return [
      {
        severity: "warning",
        code: "model.replaced-by-deprecated",
        path,
        message: `the successor ${quote(replacedBy)} is deprecated itself`,
        remedy: successor.lifecycle.replacedBy === undefined ? "name a model that stays" : `name ${successor.lifecycle.replacedBy}`,
      },
    ];
  }
  if (successor !== undefined || mayExist(project, "Model", replacedBy)) return [];
  return [
    {
      code: "model.unknown-successor",
      path,
      message: `no Model is called ${quote(replacedBy)}`,
      remedy: suggestion(replacedBy, project.models.map(nameOf)),
    },
  ];
}
