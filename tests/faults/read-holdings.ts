// SPDX-License-Identifier: Apache-2.0
// What a fleet holds of its machines: memory, files, packet rules, devices, containers.
import { readdirSync, readFileSync } from "node:fs";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import type { Ground } from "./ground.ts";

/** The word for files that nodes have open. */
export const FILES = "files that nodes have open";

/** What to how many, over all hosts. */
export type Holdings = Readonly<Record<string, number>>;

/** Resident memory of a process. Throws when it has ended. */
export function readResidentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1_024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN);
}

const countFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

interface Ruleset {
  readonly nftables: readonly {
    readonly rule?: object;
    readonly set?: { readonly elem?: readonly unknown[] };
    readonly map?: { readonly elem?: readonly unknown[] };
  }[];
}

function countRules(netns: string): { readonly rules: number; readonly elements: number } {
  const text = runInNamespace(netns, "nft", ["-j", "list", "ruleset"]);
  const { nftables } = JSON.parse(text) as Ruleset;
  const elements = nftables.map(({ set, map }) => (set ?? map)?.elem?.length ?? 0);
  return {
    rules: nftables.filter(({ rule }) => rule !== undefined).length,
    elements: elements.reduce((sum, one) => sum + one, 0),
  };
}

function countDevices(netns: string): number {
  return (JSON.parse(runInNamespace(netns, "ip", ["-j", "link"])) as readonly unknown[]).length;
}

function countContainers(endpoint: string): number {
  return runProgram("docker", ["-H", endpoint, "ps", "-aq"]).split("\n").filter(Boolean).length;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Reads it; the fleet should be at rest. */
export async function readHoldings({ nodes, hosts }: Ground): Promise<Holdings> {
  const rules = hosts.map(({ netns }) => countRules(netns));
  return {
    [FILES]: sum(nodes.map((node) => countFiles(node.pid()))),
    "packet rules": sum(rules.map((one) => one.rules)),
    "elements of sets and maps": sum(rules.map((one) => one.elements)),
    "network devices": sum(hosts.map(({ netns }) => countDevices(netns))),
    containers: sum(hosts.map(({ endpoint }) => countContainers(endpoint))),
  };
}
