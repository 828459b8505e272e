/** Types of `statfs` on Linux for file systems whose locks cannot be trusted across machines. Source: statfs(2). */
const types: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x73757245, "Coda"],
  [0x564c, "NCP"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
]);

/** The name of a network file system by its `statfs` type, undefined for everything else. */
export function networkFileSystem(type: number, platform: NodeJS.Platform): string | undefined {
  return platform === "linux" ? types.get(type >>> 0) : undefined;
}
