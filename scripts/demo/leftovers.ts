// SPDX-License-Identifier: Apache-2.0
// What a demo leaves in an engine and in the file system, and its removal: at its end, and by the next one when it was
// killed with -9. Whose it is stands in a ledger like that of a lab: a directory with the mark of the owner's process.
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock, Random } from "#base/clock.ts";
import type { Engine } from "#engine/engine.ts";
import { killNaming, listLabs, type FoundLab } from "#lab/ledger.ts";
import { OWN_LABELS } from "#model/facts.ts";
import { reopenEngine, resumePrivate, type DemoEngine } from "./find-engine.ts";

/** The demo's scope in whatever engine it uses. */
export const SCOPE = "fairlead-demo";
/** The ledgers of demos. */
export const DEMOS: string = join(tmpdir(), "fairlead-demo");

/** What has to be known of a demo to remove what it left; written before anything is made. */
export interface DemoRecord {
  readonly endpoint: string;
  readonly isPrivate: boolean;
  /** References of images that were not there before. */
  readonly images: readonly string[];
}

const RECORD = "demo.json";

/** The socket of the demo's node; its process names it. */
export function socketOf(directory: string): string {
  return join(directory, "fairlead.sock");
}

/** Where a demo's private engine has its things. */
export function engineDirectory(directory: string): string {
  return join(directory, "engine");
}

/** Keeps it in the demo's directory. */
export function writeRecord(directory: string, record: DemoRecord): void {
  const { endpoint, isPrivate, images } = record;
  writeFileSync(join(directory, RECORD), JSON.stringify({ endpoint, isPrivate, images }));
}

function readRecord(directory: string): DemoRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, RECORD), "utf8")) as DemoRecord;
  } catch {
    // It was killed before it had made anything.
    return undefined;
  }
}

/** Ids, and names of volumes and images, of what an engine has of the demo. */
export interface Left {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  readonly images: readonly string[];
}

/** `images`: those that the demo makes. */
export async function listLeft(engine: Engine, images: readonly string[]): Promise<Left> {
  const isOwn = ({ labels }: { readonly labels: Readonly<Record<string, string>> }): boolean =>
    labels[OWN_LABELS.scope] === SCOPE;
  const tags = new Set((await engine.listImages()).flatMap((image) => image.tags));
  return {
    containers: (await engine.listInstances()).filter(isOwn).map(({ id }) => id),
    networks: (await engine.listNetworks()).filter(isOwn).map(({ id }) => id),
    volumes: (await engine.listVolumes()).filter(isOwn).map(({ name }) => name),
    images: images.filter((image) => tags.has(image)),
  };
}

/** `3 containers, 1 networks, 0 volumes, 2 images`. */
export function tellLeft(left: Left): string {
  return Object.entries(left)
    .map(([kind, names]) => `${names.length} ${kind}`)
    .join(", ");
}

async function removeLeft(engine: Engine, left: Left) {
  const write = { decision: "demo-removal" };
  for (const id of left.containers)
    await engine.removeInstance(id, { ...write, force: true, anonymousVolumes: true });
  for (const id of left.networks) await engine.removeNetwork(id, write);
  for (const name of left.volumes) await engine.removeVolume(name, write);
  for (const image of left.images) await engine.removeImage(image, { ...write, force: true });
}

interface SweepParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly say: (line: string) => void;
}

async function openLeft(
  directory: string,
  { endpoint, isPrivate }: DemoRecord,
  parts: SweepParts,
): Promise<DemoEngine | undefined> {
  if (isPrivate) return resumePrivate({ ...parts, directory: engineDirectory(directory) });
  return reopenEngine(endpoint, parts);
}

/** Empties the engine of it; returns in words what there was. */
async function sweepEngine(
  directory: string,
  record: DemoRecord,
  parts: SweepParts,
): Promise<string> {
  const demo = await openLeft(directory, record, parts);
  if (demo === undefined) return `${record.endpoint} does not answer`;
  await using _closing = demo;
  const left = await listLeft(demo.engine, record.images);
  await removeLeft(demo.engine, left);
  return `${tellLeft(left)}${record.isPrivate ? ", its private engine" : ""}`;
}

async function sweepDemo(demo: FoundLab, parts: SweepParts, living: ReadonlySet<string>) {
  const { directory, pid, clear } = demo;
  const record = readRecord(directory);
  const whose = `of an earlier demo that was killed (pid ${pid})`;
  try {
    // So that it heals nothing any more.
    killNaming(socketOf(directory));
    // What a demo that runs now has in the same engine looks the same, and goes with that one.
    const isAlone = record !== undefined && !living.has(record.endpoint);
    const told = isAlone ? await sweepEngine(directory, record, parts) : "files";
    clear();
    parts.say(`removed   what was left ${whose}: ${told}`);
  } catch (thrown) {
    // What cannot be removed keeps nobody from a demo; the next one tries again.
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    parts.say(`left      something ${whose}: ${why}`);
  }
}

/** Removes what demos left whose processes are gone, and says so. */
export async function sweepDemos(parts: SweepParts): Promise<void> {
  const demos = listLabs(DEMOS);
  const living = demos.filter(({ alive }) => alive).map(({ directory }) => readRecord(directory));
  const endpoints = new Set(living.flatMap((record) => record?.endpoint ?? []));
  for (const demo of demos) if (!demo.alive) await sweepDemo(demo, parts, endpoints);
}
