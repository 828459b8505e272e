import { isSha256, type Sha256 } from "../../domain/digest.ts";
import { failed } from "../../domain/failure.ts";
import { isCommit } from "./hub-id.ts";

/** One file of a commit as the hub lists it. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** Git id: of the content, for LFS files of the pointer. */
  readonly blobId: string;
  /** Only for LFS and Xet files. */
  readonly sha256?: Sha256;
  readonly xetHash?: string;
}

/** What the hub says about a repository at one revision. */
export interface HubRevision {
  readonly commit: string;
  readonly license?: string;
  readonly gated: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failed("protocol", `${what}: the answer is not JSON`, { cause, remedy: "check HF_ENDPOINT; a proxy or a login page may have answered" });
  }
}

export function decodeRevision(body: unknown, what: string): HubRevision {
  const fields = fieldsOf(body);
  const { sha: commit, gated = false } = fields ?? {};
  if (typeof commit !== "string" || !isCommit(commit)) throw failed("protocol", `${what}: the answer names no commit`);
  const license = licenseOf(fields ?? {});
  return { commit, gated: gated !== false && gated !== null, ...(license === undefined ? {} : { license }) };
}

/** `license` of the model card (`license_name` when that is "other"), else the tag `license:...`. */
function licenseOf(fields: Fields): string | undefined {
  const card = fieldsOf(fields["cardData"]);
  const declared = [card?.["license"]].flat().find((value) => typeof value === "string" && value !== "");
  const name = card?.["license_name"];
  if (declared === "other" && typeof name === "string" && name !== "") return name;
  if (typeof declared === "string") return declared;
  const tags = Array.isArray(fields["tags"]) ? fields["tags"] : [];
  const tag = tags.find((value) => typeof value === "string" && value.startsWith("license:"));
  return typeof tag === "string" ? tag.slice("license:".length) : undefined;
}

/** One page of a tree; folders are left out. */
export function decodeTreePage(body: unknown, what: string): readonly HubFile[] {
  if (!Array.isArray(body)) throw failed("protocol", `${what}: the file list is not a list`);
  return body.flatMap((entry: unknown) => {
    const fields = fieldsOf(entry);
    if (fields?.["type"] === "directory") return [];
    const file = fields === undefined ? undefined : decodeFile(fields);
    if (file === undefined) throw failed("protocol", `${what}: an entry of the file list is not understood: ${JSON.stringify(entry)?.slice(0, 200)}`);
    return [file];
  });
}

function decodeFile(fields: Fields): HubFile | undefined {
  const { path, size, oid, xetHash } = fields;
  if (typeof path !== "string" || !isSize(size) || typeof oid !== "string" || !isCommit(oid)) return undefined;
  const plain = { path, size, blobId: oid };
  const lfs = fieldsOf(fields["lfs"]);
  if (lfs === undefined) return plain;
  const sha256 = hashIn(lfs["oid"] ?? lfs["sha256"]);
  const xet = hashIn(xetHash);
  return sha256 === undefined ? undefined : { ...plain, sha256, ...(xet === undefined ? {} : { xetHash: xet }) };
}

function hashIn(value: unknown): Sha256 | undefined {
  return typeof value === "string" && isSha256(value) ? value : undefined;
}

export function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}

export function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
