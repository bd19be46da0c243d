// SPDX-License-Identifier: Apache-2.0
// The other nodes of a fleet for what one of them does for all, without asking the store: of those that are linked and live,
// the one with the lowest id. In a fleet that is cut in two each part has such a one.
import type { NodeIdentity, NodeLinks } from "@fairlead/fabric/node-links.ts";
import type { Roll } from "#control/roll.ts";

export interface FellowNodes {
  /** Id of this node. */
  readonly self: string;
  readonly nodes: Pick<NodeLinks, "tell" | "onTold">;
  /** Whether this node is the one that does it. */
  isFirst(): boolean;
  /** Whether a node that is not linked, by name, may be back in a moment. */
  mayReturn(name: string): boolean;
  /** Calls `listener` when another node may have become the first; returns the function that ends it. */
  onTurn(listener: () => void): () => void;
  /** Calls `listener` with the name of a node that is lost; returns the function that ends it. */
  onGone(listener: (name: string) => void): () => void;
}

/** Follows links and roll until all that it was asked for is ended. */
export function createFellowNodes(options: {
  readonly self: NodeIdentity;
  readonly nodes: NodeLinks;
  readonly roll: Pick<Roll, "list" | "onLook">;
}): FellowNodes {
  const { self, nodes, roll } = options;

  function listLinked(): readonly string[] {
    const others = roll.list().filter(({ self: own, state }) => !own && state === "alive");
    return others.map(({ id }) => id).filter((id) => nodes.get(id) !== undefined);
  }

  const findFirst = (): string =>
    listLinked().reduce((first, id) => (id < first ? id : first), self.id);

  return {
    self: self.id,
    nodes,
    isFirst: () => findFirst() === self.id,
    mayReturn(name) {
      if (nodes.named(name) !== undefined) return false;
      return roll.list().some((node) => node.name === name && node.state !== "gone");
    },
    onTurn(listener) {
      let first = findFirst();
      const look = (): void => {
        const next = findFirst();
        if (next === first) return;
        first = next;
        listener();
      };
      const stops = [nodes.onTurn(look), roll.onLook(look)];
      return () => stops.forEach((stop) => stop());
    },
    onGone(listener) {
      let gone = new Set<string>();
      return roll.onLook(() => {
        const before = gone;
        const lost = roll.list().filter(({ state }) => state === "gone");
        gone = new Set(lost.map(({ name }) => name));
        for (const name of gone) if (!before.has(name)) listener(name);
      });
    },
  };
}
