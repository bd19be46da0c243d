// SPDX-License-Identifier: Apache-2.0
// Why nodes do not take an instance: counted, and in words.
import { formatSize } from "#base/size.ts";
import type { Placement, Refusal } from "./offer.ts";

const EXAMPLES_MAX = 3;
const TESTS_MAX = 4;

/** Why one node does not take one more instance: the test, and where too little is free how much. */
export interface Failure {
  readonly test: string;
  readonly short?: { readonly needs: number; readonly free: number };
}

/** Tests that nodes failed, counted. */
export class RefusalCount {
  readonly #tests = new Map<
    string,
    { nodes: number; examples: string[]; short: Refusal["short"] }
  >();

  add({ test, short }: Failure, node: string): void {
    const known = this.#tests.get(test);
    if (known === undefined) {
      this.#tests.set(test, { nodes: 1, examples: [node], short });
      return;
    }
    known.nodes++;
    if (known.examples.length < EXAMPLES_MAX) known.examples.push(node);
    if (short !== undefined && short.free > (known.short?.free ?? -1)) known.short = short;
  }

  /** The most frequent test first. */
  list(): readonly Refusal[] {
    return [...this.#tests]
      .map(([test, { short, ...rest }]) => ({
        test,
        ...rest,
        ...(short === undefined ? {} : { short }),
      }))
      .sort((a, b) => b.nodes - a.nodes || (a.test < b.test ? -1 : 1));
  }
}

/** An amount of a kind as people read it: `1.5 cores`, `512 MiB`, `2`. */
function formatAmount(kind: string, amount: number): string {
  if (kind === "processor") return `${amount / 1_000} cores`;
  return kind === "memory" ? formatSize(amount) : `${amount}`;
}

/** One failure: `memory (needs 512 MiB, 310 MiB free)`. */
export function describeFailure({ test, short }: Failure): string {
  if (short === undefined) return test;
  const [needs, free] = [short.needs, short.free].map((amount) => formatAmount(test, amount));
  return `${test} (needs ${needs}, ${free} free)`;
}

function describeRefusal({ test, nodes, examples, short }: Refusal): string {
  const named = examples.join(", ") + (nodes > examples.length ? ", …" : "");
  if (short === undefined) return `${test} on ${nodes} (${named})`;
  const [needs, free] = [short.needs, short.free].map((amount) => formatAmount(test, amount));
  return `${test} on ${nodes} (${named}: needs ${needs}, at most ${free} free)`;
}

/** One sentence about what found no node, short enough for a terminal; empty when all did. */
export function describeMissing({ nodes, missing, refusals }: Placement): string {
  if (missing === 0) return "";
  const what = `${missing} of ${nodes.length + missing} ${missing === 1 ? "has" : "have"} no node`;
  if (refusals.length === 0) return `${what}: there is none`;
  const told = refusals.slice(0, TESTS_MAX).map(describeRefusal);
  const rest = refusals.slice(TESTS_MAX).reduce((sum, refusal) => sum + refusal.nodes, 0);
  return `${what}: ${told.join("; ")}${rest > 0 ? `; other tests on ${rest}` : ""}`;
}
