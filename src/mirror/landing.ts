/** What this server is and how to use it: the answer of `GET /`, for people who open it in a browser. */
export function landing(address: string, models: readonly string[], ollama: readonly string[]): unknown {
  const registry = new URL(address).host;
  return {
    server: "holdfast mirror (read-only)",
    layouts: {
      "<org>/<name>/**": "a model folder; its branch is main",
      "<org>/<name>@<branch>/**": "another branch of it",
      "models--<org>--<name>/": "a Hugging Face cache, with its commits and refs",
      "manifests/ and blobs/, also below ollama/": "an Ollama store",
    },
    use: {
      huggingface: `HF_ENDPOINT=${address} hf download <org>/<name>`,
      ollama: `ollama pull --insecure ${registry}/<namespace>/<model>:<tag>`,
    },
    models,
    ollama,
  };
}
