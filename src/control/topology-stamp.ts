// SPDX-License-Identifier: Apache-2.0
// Which of two states of a scope's topology is the newer one, whoever made them: turns are counted, and no clock is asked.
import { z } from "zod";

const Turn = z.strictObject({
  /** One more than the latest that its maker knew of. */
  turn: z.number().int().min(0),
  /** Id of the node that made it: decides between two of one turn. */
  node: z.string().max(63),
});

/** What was declared when, and which wiring of that it is. */
export const TopologyStamp = z.strictObject({ declared: Turn, wired: Turn });
export type TopologyStamp = z.infer<typeof TopologyStamp>;

const NEVER = { turn: 0, node: "" } as const;

/** Of what no node has said anything of yet. */
export const NO_STAMP: TopologyStamp = { declared: NEVER, wired: NEVER };

function compareTurns(a: z.infer<typeof Turn>, b: z.infer<typeof Turn>): number {
  if (a.turn !== b.turn) return a.turn - b.turn;
  return a.node === b.node ? 0 : a.node < b.node ? -1 : 1;
}

/** Above 0 when the first is the newer one. A newer declaration counts more than any wiring of an older one. */
export function compareStamps(a: TopologyStamp, b: TopologyStamp): number {
  return compareTurns(a.declared, b.declared) || compareTurns(a.wired, b.wired);
}

/** The stamp of a declaration that a node makes after another. */
export function stampDeclared({ declared }: TopologyStamp, node: string): TopologyStamp {
  return { declared: { turn: declared.turn + 1, node }, wired: NEVER };
}

/** The stamp of a wiring of the same declaration. */
export function stampWired({ declared, wired }: TopologyStamp, node: string): TopologyStamp {
  return { declared, wired: { turn: wired.turn + 1, node } };
}
