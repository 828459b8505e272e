import { describe, expect, it } from "vitest";
import { rateLimitWait } from "../../../src/adapters/huggingface/rate-limit.ts";
import { redirectTarget } from "../../../src/adapters/huggingface/redirect-target.ts";
import { decodeTreeFile, encodeTreeFile } from "../../../src/adapters/huggingface/tree-file.ts";

describe("the pause that a 429 asks for", () => {
  it.each([
    [{ ratelimit: '"api";r=0;t=55' }, 56_000],
    [{ ratelimit: '"resolvers"; r=0; t=0' }, 1000],
    [{ ratelimit: '"api";r=12;t=55' }, undefined],
    [{ ratelimit: '"api";r=12;t=55', "retry-after": "3" }, 4000],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:00 GMT" }, undefined],
    [{ ratelimit: "nonsense" }, undefined],
    [{ "retry-after": "999999999" }, 3_600_000],
    [{}, undefined],
  ])("%j", (headers, expected) => {
    expect(rateLimitWait(headers)).toBe(expected);
  });
});

describe("SEC-10 where a redirect of the hub may lead", () => {
  const publicHub = new URL("https://huggingface.co/");

  it.each(["https://cdn-lfs.hf.co/x", "https://cas-bridge.xethub.hf.co/x?sig=1", "/api/resolve-cache/x", "https://8.8.8.8/x"])(
    "from a public hub to %s",
    (location) => {
      expect(redirectTarget(new URL("https://huggingface.co/a"), location, publicHub).href).toMatch(/^https:/);
    },
  );

  it.each([
    "http://cdn-lfs.hf.co/x",
    "file:///etc/passwd",
    "ftp://x.example/",
    "https://user:pass@cdn.example/",
    "https://127.0.0.1/",
    "https://10.1.2.3/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://169.254.169.254/latest",
    "https://metadata.google.internal/",
    "https://localhost/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://0.0.0.0/",
    "https://intranet/",
    "https://[fd00::1]/",
    "https://100.64.1.1/",
  ])("never from a public hub to %s", (location) => {
    expect(() => redirectTarget(new URL("https://huggingface.co/a"), location, publicHub)).toThrowError(/refused to follow/);
  });

  it("a hub in a private network may use its own network", () => {
    expect(redirectTarget(new URL("http://127.0.0.1:80/a"), "http://localhost:81/b", new URL("http://127.0.0.1:80/")).port).toBe("81");
  });
});

describe("the kept list of a commit", () => {
  const files = [
    { path: "model.safetensors", size: 1234, blobId: "b".repeat(40), sha256: "c".repeat(64), xetHash: "d".repeat(64) },
    { path: "config.json", size: 519, blobId: "a".repeat(40) },
    { path: "10.txt", size: 1, blobId: "e".repeat(40) },
    { path: 'é\u{1f600}\u007f"\\.txt', size: 2, blobId: "f".repeat(40) },
  ];
  // Printed by json.dump(..., indent=1) of Python 3.11 for the same files.
  const python = `{
 "format_version": 1,
 "files": {
  "10.txt": {
   "size": 1,
   "blob_id": "${"e".repeat(40)}"
  },
  "config.json": {
   "size": 519,
   "blob_id": "${"a".repeat(40)}"
  },
  "model.safetensors": {
   "size": 1234,
   "blob_id": "${"b".repeat(40)}",
   "lfs_sha256": "${"c".repeat(64)}",
   "lfs_size": 1234,
   "xet_hash": "${"d".repeat(64)}"
  },
  "\\u00e9\\ud83d\\ude00\\u007f\\"\\\\.txt": {
   "size": 2,
   "blob_id": "${"f".repeat(40)}"
  }
 }
}`;

  it("is written byte for byte as the Python client writes it", () => {
    expect(encodeTreeFile(files)).toBe(python);
  });

  it("is read back", () => {
    expect(decodeTreeFile(python)?.toSorted((a, b) => a.size - b.size)).toEqual(files.toSorted((a, b) => a.size - b.size));
  });

  it.each([
    "",
    "[]",
    "{}",
    '{"format_version":2,"files":{}}',
    '{"format_version":1,"files":{"a":{"size":-1,"blob_id":"x"}}}',
    '{"format_version":1,"files":[]}',
  ])("is nothing when it is %j", (text) => {
    expect(decodeTreeFile(text)).toBeUndefined();
  });
});
