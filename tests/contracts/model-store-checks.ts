import { open } from "node:fs/promises";
import { expect } from "vitest";
import type { RepairRequest } from "../../src/domain/action.ts";
import { toFailure, type FailureCode } from "../../src/domain/failure.ts";
import type { ArtifactState, Holding, VerificationLevel } from "../../src/domain/observed.ts";
import type { ModelReader, WriteContext } from "../../src/ports/model-store.ts";
import type { SampleModel } from "./model-store-fixture.ts";

export function context(signal: AbortSignal): WriteContext {
  return { id: "a1", progress: () => undefined, signal };
}

export function repairOf(sample: SampleModel, bad: readonly string[]): RepairRequest {
  return { ...sample.pull, bad };
}

export async function failureOf(operation: Promise<unknown>): Promise<FailureCode | "succeeded"> {
  return operation.then(
    () => "succeeded",
    (error: unknown) => toFailure(error).code,
  );
}

export async function refsOf(reader: ModelReader, signal: AbortSignal): Promise<readonly string[]> {
  const seen = await reader.observe({ level: "presence" }, signal);
  if (seen.state === "unknown") throw new Error(`unknown: ${seen.failure.message}`);
  return seen.holdings.map((holding) => holding.ref);
}

export async function holdingOf(reader: ModelReader, sample: SampleModel, level: VerificationLevel, signal: AbortSignal): Promise<Holding> {
  const holding = await reader.inspect(sample.ref, level, signal);
  if (holding === undefined || "failure" in holding) throw new Error(`no holding ${sample.ref}: ${holding?.failure.message ?? "absent"}`);
  return holding;
}

export function foundAt(holding: Holding | undefined, path: string): ArtifactState | undefined {
  return holding?.artifacts.find((artifact) => artifact.path === path)?.found;
}

export function listed(holding: Holding): readonly string[] {
  return holding.artifacts.map((artifact) => `${artifact.path} ${artifact.size}`).toSorted();
}

export function listedIn(sample: SampleModel): readonly string[] {
  return sample.files.map((file) => `${file.path} ${file.size}`).toSorted();
}

export function hashes(holding: Holding): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(holding.artifacts.map(({ path, found }) => [path, "sha256" in found ? found.sha256 : undefined]));
}

export function hashesIn(sample: SampleModel): Readonly<Record<string, string>> {
  return Object.fromEntries(sample.files.map((file) => [file.path, file.sha256]));
}

export function levels(holding: Holding): readonly string[] {
  return [...new Set(holding.artifacts.map(({ found }) => ("level" in found ? found.level : found.state)))];
}

export function sizeOf(sample: SampleModel, path: string): number {
  return sample.files.find((file) => file.path === path)?.size ?? 0;
}

export async function expectWrongHash(reader: ModelReader, sample: SampleModel, signal: AbortSignal): Promise<void> {
  const damaged = hashes(await holdingOf(reader, sample, "full", signal));
  expect(damaged[sample.own]).toMatch(/^[0-9a-f]{64}$/);
  expect(damaged[sample.own]).not.toBe(hashesIn(sample)[sample.own]);
}

export async function flipByte(path: string): Promise<void> {
  const file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, 512);
  byte[0] = (byte[0] ?? 0) ^ 0xff;
  await file.write(byte, 0, 1, 512);
  await file.close();
}

export async function zero(path: string, size: number): Promise<void> {
  const file = await open(path, "r+");
  await file.write(Buffer.alloc(size), 0, size, 0);
  await file.close();
}
