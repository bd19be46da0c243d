// SPDX-License-Identifier: Apache-2.0
// What was measured of the ways between nodes: by this one, and by those to whom it is linked, who tell it.
import type { NodeLinks } from "@fairlead/fabric/node-links.ts";
import type { NodeView } from "@fairlead/protocol/node.ts";
import type { PathLink } from "@fairlead/routing/choose-path.ts";
import { chooseWay } from "@fairlead/routing/choose-way.ts";
import { z } from "zod";

/** A direct way to another node. */
export interface DirectWay {
  /** One way. */
  readonly latencyMs: number;
  readonly bandwidthMbitS: number;
}

export interface WayBook extends Disposable {
  /** The direct way to a node was measured; undefined: it is down. */
  noteDirect(id: string, way: DirectWay | undefined): void;
  /** Ids of the nodes in between on the way to take; undefined when there is none. */
  choose(
    node: Pick<NodeView, "id" | "rttMs">,
    state: { readonly isDirectDown: boolean; readonly isAround: boolean },
  ): readonly string[] | undefined;
}

/** So many nodes may be in between. */
export const BETWEEN_MAX = 3;
const KEY = "ways";
/** Of a way that was not measured. */
const BANDWIDTH_MBIT_S = 1_000;

const ToldWays = z.array(
  z.object({
    to: z.string(),
    latencyMs: z.number().nonnegative(),
    bandwidthMbitS: z.number().positive(),
  }),
);

/** Makes an empty one, which tells the other nodes what is noted in it. */
export function createWayBook(options: {
  readonly self: string;
  readonly nodes: NodeLinks;
}): WayBook {
  const { self, nodes } = options;
  const own = new Map<string, DirectWay>();
  /** By who told it. */
  const told = new Map<string, readonly PathLink[]>();
  const stops = [
    nodes.onTold(({ id }, key, value) => {
      if (key !== KEY) return;
      const links = ToldWays.safeParse(value).data ?? [];
      told.set(
        id,
        links.map((link) => ({ from: id, ...link })),
      );
    }),
    nodes.onTurn(({ id }, link) => {
      if (link === undefined) told.delete(id);
    }),
  ];

  function tell(): void {
    nodes.tell(
      KEY,
      [...own].map(([to, way]) => ({ to, ...way })),
    );
  }

  return {
    noteDirect(id, way) {
      if (way === undefined ? !own.delete(id) : own.get(id) === way) return;
      if (way !== undefined) own.set(id, way);
      tell();
    },
    choose({ id, rttMs }, { isDirectDown, isAround }) {
      const direct = own.get(id);
      const latencyMs = (rttMs ?? 0) / 2;
      const untried = { latencyMs, bandwidthMbitS: BANDWIDTH_MBIT_S };
      const links: PathLink[] = isDirectDown
        ? []
        : [
            {
              from: self,
              to: id,
              ...(direct ?? untried),
              ...(rttMs === undefined ? {} : { latencyMs }),
            },
          ];
      for (const [to, way] of own) if (to !== id) links.push({ from: self, to, ...way });
      const all = [...links, ...[...told.values()].flat()];
      const usable = isDirectDown
        ? all.filter(({ from, to }) => !isBetween(from, to, self, id))
        : all;
      return chooseWay(usable, { from: self, to: id }, { betweenMax: BETWEEN_MAX, isAround });
    },
    [Symbol.dispose]() {
      for (const stop of stops) stop();
    },
  };
}

function isBetween(a: string, b: string, one: string, other: string): boolean {
  return (a === one && b === other) || (a === other && b === one);
}
