// SPDX-License-Identifier: Apache-2.0
// A table `filter` as iptables-save and ebtables-save print it, as far as chains are ours, and the lines that make it another one.
import { PREFIX } from "./names.ts";
import type { Chains } from "./render-rules.ts";

/** One rule as it stands. */
export interface StandingRule {
  /** `-s 10.0.0.1/32 -g FAIRLEAD-…` */
  readonly text: string;
  readonly packets: number;
}

/** What stands in a table. */
export interface Standing {
  readonly chains: ReadonlyMap<string, readonly StandingRule[]>;
}

const CHAIN = /^:(\S+) /;
const RULE = /^(?:\[(\d+):\d+\] )?-A (\S+) (.*)$/;

/** Of lines as `Xtables` reads them. */
export function readTable(lines: readonly string[]): Standing {
  const chains = new Map<string, StandingRule[]>();
  for (const line of lines) {
    const name = CHAIN.exec(line)?.[1];
    if (name !== undefined) chains.set(name, []);
    const [, packets = "0", chain = "", text = ""] = RULE.exec(line) ?? [];
    chains.get(chain)?.push({ text, packets: Number(packets) });
  }
  return { chains };
}

function jumpOf(hook: string): string {
  return `-j ${PREFIX}${hook}`;
}

/** Whether a built-in chain begins with ours. */
export function isHooked({ chains }: Standing, hook: string): boolean {
  return chains.get(hook)?.[0]?.text === jumpOf(hook);
}

function countJumps({ chains }: Standing, hook: string): number {
  return (chains.get(hook) ?? []).filter(({ text }) => text === jumpOf(hook)).length;
}

function listOwn({ chains }: Standing): readonly string[] {
  return [...chains.keys()].filter((name) => name.startsWith(PREFIX));
}

/** Whether anything of ours is in it. */
export function hasOwn(standing: Standing, hooks: readonly string[]): boolean {
  return listOwn(standing).length > 0 || hooks.some((hook) => countJumps(standing, hook) > 0);
}

/** All that is ours and does not change by itself, as one text: equal texts, equal rules. */
export function fingerprint(standing: Standing, hooks: readonly string[]): string {
  const own = listOwn(standing)
    .toSorted()
    .map((name) => [name, ...(standing.chains.get(name) ?? []).map(({ text }) => text)]);
  const jumps = hooks.map((hook) => [isHooked(standing, hook), countJumps(standing, hook)]);
  return JSON.stringify([own, jumps]);
}

export interface ReplaceOptions {
  readonly hooks: readonly string[];
  /** What a chain of ours is declared with: `- [0:0]`. */
  readonly declaration: string;
}

/** Lines that put these chains in place of all that is ours; of none, nothing is left. */
export function replaceChains(
  standing: Standing,
  chains: Chains,
  { hooks, declaration }: ReplaceOptions,
): readonly string[] {
  const own = listOwn(standing);
  const names = new Set([...own, ...chains.keys()]);
  const unhook = hooks.flatMap((hook) =>
    Array.from({ length: countJumps(standing, hook) }, () => `-D ${hook} ${jumpOf(hook)}`),
  );
  const hook = hooks.map((one) => `-I ${one} 1 ${jumpOf(one)}`);
  return [
    ...[...names].map((name) => `:${name} ${declaration}`),
    ...unhook,
    ...(chains.size === 0 ? [] : hook),
    ...[...chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...own.filter((name) => !chains.has(name)).map((name) => `-X ${name}`),
  ];
}
