import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { etagOf, type HubModel, type HubModelFile } from "./hub-model.ts";
import { sendFile, sendSwitches, type SendSwitches } from "./hub-send.ts";

/** A refusal that is sent instead of an answer. */
export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Which addresses; all of them without it. */
  readonly when?: RegExp;
  /** How often; always without it. */
  times?: number;
}

export interface HubSwitches extends SendSwitches {
  readonly refusals: Refusal[];
  /** Requests that the CDN refuses as if the signed address had expired. */
  expiredAddresses: number;
  /** Files per page of a tree. */
  pageSize: number;
  /** Entries that are listed beside the real ones. */
  readonly extraEntries: unknown[];
  /** Where the second page is said to be, instead of where it is. */
  nextPage?: string;
  /** Etag that the hub says, by path. */
  readonly wrongEtag: Map<string, string>;
  /** Without `X-Repo-Commit`, as a proxy or a login page answers. */
  noCommit: boolean;
  /** Sends files of this repository to another address of the same host first. */
  renamed: boolean;
  /** Where LFS files are sent, instead of the CDN of this fake. */
  cdn?: string;
}

export interface SeenRequest {
  readonly host: "hub" | "cdn";
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
}

/** A real server that speaks the protocol of the Hub, with a CDN on another host name and port. */
export interface FakeHub {
  readonly endpoint: string;
  readonly switches: HubSwitches;
  readonly requests: readonly SeenRequest[];
  /** Bytes of a file that were sent so far, over all answers. */
  bytesSent(path: string): number;
  /** Paths of the files whose bytes were sent since the last call. */
  sent(): readonly string[];
  /** Resolves as soon as a transfer hangs. */
  hanging(): Promise<void>;
  /** Resolves as soon as no answer is open. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

export async function startFakeHub(models: readonly HubModel[]): Promise<FakeHub> {
  const state = new HubState(models);
  const cdn = await listen((request, response) => state.answerCdn(request, response));
  state.cdnOrigin = `http://localhost:${portOf(cdn)}`;
  const hub = await listen((request, response) => state.answerHub(request, response));
  return {
    endpoint: `http://127.0.0.1:${portOf(hub)}`,
    switches: state.switches,
    requests: state.requests,
    bytesSent: (path) => state.bytes.get(path) ?? 0,
    sent: () => state.takeSent(),
    hanging: () => state.hangs.promise,
    idle: () => state.idle(),
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

class HubState {
  readonly switches: HubSwitches = {
    ...sendSwitches(),
    refusals: [],
    expiredAddresses: 0,
    pageSize: 1000,
    extraEntries: [],
    wrongEtag: new Map(),
    noCommit: false,
    renamed: false,
  };
  readonly requests: SeenRequest[] = [];
  readonly bytes = new Map<string, number>();
  readonly hangs = Promise.withResolvers<void>();
  cdnOrigin = "";
  #sent = new Set<string>();
  #open = 0;
  #whenIdle: (() => void)[] = [];
  readonly #models: readonly HubModel[];

  constructor(models: readonly HubModel[]) {
    this.#models = models;
  }

  takeSent(): readonly string[] {
    const sent = [...this.#sent].toSorted();
    this.#sent = new Set();
    return sent;
  }

  idle(): Promise<void> {
    return this.#open === 0 ? Promise.resolve() : new Promise((go) => this.#whenIdle.push(go));
  }

  answerHub(request: IncomingMessage, response: ServerResponse): void {
    const url = this.#note("hub", request, response);
    if (this.#refuse(request, response)) return;
    const api = /^\/api\/models\/([^/]+\/[^/]+|[^/]+)(?:\/(revision|tree|refs)\/?([^/]*))?$/.exec(url.pathname);
    if (api !== null)
      return this.#answerApi(response, url, { repo: api[1] ?? "", what: api[2] ?? "revision", revision: decodeURIComponent(api[3] ?? "main") });
    const file = /^\/(old\/)?(.+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    if (file === null) return void response.writeHead(404).end();
    if (this.switches.renamed && file[1] === undefined) return void response.writeHead(307, { location: `/old${url.pathname}` }).end();
    this.#answerFile(request, response, {
      repo: file[2] ?? "",
      revision: decodeURIComponent(file[3] ?? ""),
      path: decodeURIComponent(file[4] ?? ""),
    });
  }

  answerCdn(request: IncomingMessage, response: ServerResponse): void {
    const url = this.#note("cdn", request, response);
    if (this.switches.expiredAddresses > 0) {
      this.switches.expiredAddresses -= 1;
      return void response.writeHead(403).end("<Error>expired</Error>");
    }
    const file = this.#models
      .flatMap((model) => model.files)
      .find((candidate) => url.pathname === `/${candidate.sha256}` && url.searchParams.get("path") === candidate.path);
    if (file === undefined) return void response.writeHead(404).end();
    this.#send(request, response, file);
  }

  #note(host: SeenRequest["host"], request: IncomingMessage, response: ServerResponse): URL {
    this.requests.push({ host, method: request.method ?? "", url: request.url ?? "", authorization: request.headers.authorization });
    this.#open += 1;
    response.once("close", () => {
      this.#open -= 1;
      if (this.#open === 0) for (const go of this.#whenIdle.splice(0)) go();
    });
    return new URL(request.url ?? "/", "http://fake");
  }

  #refuse(request: IncomingMessage, response: ServerResponse): boolean {
    const refusal = this.switches.refusals.find((candidate) => candidate.times !== 0 && (candidate.when?.test(request.url ?? "") ?? true));
    if (refusal === undefined) return false;
    if (refusal.times !== undefined) refusal.times -= 1;
    response.writeHead(refusal.status, refusal.headers).end();
    return true;
  }

  #answerApi(response: ServerResponse, url: URL, ask: { repo: string; what: string; revision: string }): void {
    const model = this.#find(response, ask.repo, ask.revision);
    if (model === undefined) return;
    if (ask.what === "refs") return sendJson(response, { branches: [], converts: [], tags: [], pullRequests: [] });
    if (ask.what === "tree") return this.#answerTree(response, url, model);
    const siblings = model.files.map((file) => ({ rfilename: file.path, size: file.bytes.length, blobId: file.blobId }));
    sendJson(response, {
      id: model.repo,
      modelId: model.repo,
      sha: model.commit,
      private: false,
      gated: false,
      disabled: false,
      tags: [],
      siblings,
      ...model.facts,
    });
  }

  #answerTree(response: ServerResponse, url: URL, model: HubModel): void {
    const start = Number(url.searchParams.get("cursor") ?? 0);
    const entries = [...model.files.map(treeEntry), ...this.switches.extraEntries];
    const end = start + this.switches.pageSize;
    const next = this.switches.nextPage ?? `http://${response.req.headers.host ?? ""}${url.pathname}?recursive=true&cursor=${end}`;
    sendJson(response, entries.slice(start, end), end < entries.length ? { link: `<${next}>; rel="next"` } : {});
  }

  #answerFile(request: IncomingMessage, response: ServerResponse, ask: { repo: string; revision: string; path: string }): void {
    const model = this.#find(response, ask.repo, ask.revision);
    if (model === undefined) return;
    const file = model.files.find((candidate) => candidate.path === ask.path);
    const commit = this.switches.noCommit ? {} : { "x-repo-commit": model.commit };
    if (file === undefined) return void response.writeHead(404, { "x-error-code": "EntryNotFound", ...commit }).end();
    const etag = this.switches.wrongEtag.get(file.path) ?? etagOf(file);
    for (const [name, value] of Object.entries({ etag: `"${etag}"`, ...commit })) response.setHeader(name, value);
    if (!file.lfs) return this.#send(request, response, file);
    const cdn = this.switches.cdn ?? this.cdnOrigin;
    const location = `${cdn}/${file.sha256}?path=${encodeURIComponent(file.path)}&signature=${Math.random()}`;
    response.writeHead(302, { location, "x-linked-etag": `"${etag}"`, "x-linked-size": file.bytes.length, "content-length": 0 }).end();
  }

  #send(request: IncomingMessage, response: ServerResponse, file: HubModelFile): void {
    const onBytes = (sent: HubModelFile, bytes: number): void => {
      this.#sent.add(sent.path);
      this.bytes.set(sent.path, (this.bytes.get(sent.path) ?? 0) + bytes);
    };
    void sendFile(request, response, file, this.switches, { onBytes, onHang: () => this.hangs.resolve() });
  }

  #find(response: ServerResponse, repo: string, revision: string): HubModel | undefined {
    const known = this.#models.filter((model) => model.repo === repo);
    const model =
      known.find((candidate) => candidate.commit === revision) ?? known.find((candidate) => candidate.refs[revision] === candidate.commit);
    if (model !== undefined) return model;
    if (known.length === 0) response.writeHead(401, { "x-error-code": "RepoNotFound" }).end();
    else response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end();
    return undefined;
  }
}

function treeEntry(file: HubModelFile): unknown {
  const lfs = { oid: file.sha256, size: file.bytes.length, pointerSize: 130 };
  return { type: "file", path: file.path, size: file.bytes.length, oid: file.blobId, ...(file.lfs ? { lfs } : {}) };
}

function sendJson(response: ServerResponse, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(answer);
  await new Promise<void>((ready) => void server.listen(0, "127.0.0.1", ready));
  return server;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens nowhere");
  return address.port;
}
