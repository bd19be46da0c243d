// SPDX-License-Identifier: Apache-2.0
// The recipes of ahmetb/kubernetes-network-policy-recipes: small clusters, and who reaches whom in them.
import { readFileSync } from "node:fs";
import type { Manifest, Pod } from "./oracle.ts";

/** One of them. `EXT` among its probes is somebody outside of the cluster. */
export interface Recipe {
  readonly id: string;
  readonly title: string;
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly pods: Readonly<Record<string, Pick<Pod, "labels" | "ports">>>;
  readonly policies: readonly Manifest[];
  readonly probes: readonly {
    readonly from: string;
    readonly to: string;
    readonly port: number;
    readonly protocol: string;
    readonly expect: "allow" | "deny";
  }[];
}

/** All of them, in their order. */
export function readRecipes(): readonly Recipe[] {
  const text = readFileSync(new URL("../testdata/netpol-recipes.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly recipes: readonly Recipe[] }).recipes;
}
