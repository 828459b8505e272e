/** The first manifest of a new project: comments only, so that the first plan is empty. */
export const manifestTemplate = `# yaml-language-server: $schema=../configs/schemas/manifest.schema.json
#
# One document per thing, separated by ---. Remove the # to declare a model.
#
# A model from Ollama:
#
# apiVersion: holdfast.dev/v1
# kind: Model
# metadata:
#   name: chat-small
# spec:
#   source:
#     ollama:
#       model: llama3.2:3b
#   roles: [chat]
# ---
# A model from Hugging Face, in the cache that Python, transformers and vLLM read:
#
# apiVersion: holdfast.dev/v1
# kind: Model
# metadata:
#   name: embed-small
# spec:
#   source:
#     huggingface:
#       repo: sentence-transformers/all-MiniLM-L6-v2
#       revision: main
#       include: ["*.json", "*.safetensors"]
#   roles: [embedding]
`;

/** The settings of a new project: every default is fine, the commonly changed ones are shown. */
export const settingsTemplate = `# yaml-language-server: $schema=schemas/settings.schema.json
# Every setting has a default; "holdfast config" shows each value and where it comes from.
# prune:
#   mode: purge        # purge, deprecate, forget or off: what happens to models that leave the manifests
#   grace: 7d          # time between deprecation and purge
# unmanaged: import    # ignore, import, deprecate or purge: models that nobody declared
`;

/** Rules of a new project against models that bring code of their own; a person takes away what is too strict. */
export const policyTemplate = `# yaml-language-server: $schema=../configs/schemas/manifest.schema.json
# Models may bring code that runs when they are loaded. A model that needs it is an exception: say so here, in a commit of its own.
apiVersion: holdfast.dev/v1
kind: Policy
metadata:
  name: no-code-in-files
spec:
  matchConditions:
    - name: fetches files from the Hub
      expression: action.verb in ["pull", "repair"] && action.work.request.kind == "huggingface"
  validations:
    - expression: action.work.request.files.all(f, !f.path.matches("\\\\.(bin|pt|pth|ckpt|pkl|pickle)$"))
      message: pickle files (.bin, .pt, .pth, .ckpt, .pkl) run code when they are loaded; exclude them or take a revision with safetensors
    - expression: action.work.request.files.all(f, !f.path.endsWith(".py"))
      message: the repository brings Python code; exclude "*.py"
---
# Without this argument neither auto_map in config.json nor Python files of a repository are run.
apiVersion: holdfast.dev/v1
kind: Policy
metadata:
  name: no-remote-code
spec:
  matchConditions:
    - name: says how it is started
      expression: has(model.launch)
  validations:
    - expression: '!model.launch.args.exists(a, a.matches("^--trust[-_]remote[-_]code(=.*)?$"))'
      message: --trust-remote-code runs code from the model repository
`;
