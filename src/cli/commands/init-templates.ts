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
