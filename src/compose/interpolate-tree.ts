// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import type { Findings } from "./findings.ts";
import { interpolate } from "./interpolate.ts";
import { mapEntries, type ScalarNode, type Tree } from "./tree.ts";

/** Variables by name. */
export type Environment = ReadonlyMap<string, string>;

/**
 * Puts variables into every text of a tree; keys stay as they are. Top-level x- blocks are left alone: what is used of
 * them stands expanded where it is used. Problems go to `findings`, each at its place.
 */
export function interpolateFile(tree: Tree, environment: Environment, findings: Findings): Tree {
  if (tree.kind !== "map") return tree;
  return mapEntries(tree, (value, key) =>
    key.startsWith("x-") && key !== "x-fairlead"
      ? value
      : interpolateTree(value, environment, findings),
  );
}

function interpolateTree(node: Tree, environment: Environment, findings: Findings): Tree {
  if (node.kind === "map") {
    return mapEntries(node, (value) => interpolateTree(value, environment, findings));
  }
  if (node.kind === "list") {
    return {
      ...node,
      items: node.items.map((item) => interpolateTree(item, environment, findings)),
    };
  }
  return interpolateScalar(node, environment, findings);
}

function interpolateScalar(
  node: ScalarNode,
  environment: Environment,
  findings: Findings,
): ScalarNode {
  if (typeof node.value !== "string" || !node.value.includes("$")) return node;
  try {
    const value = interpolate(node.value, {
      lookup: (name) => environment.get(name),
      onUnset: (name) =>
        findings.warnOnce(
          composeErrors["variable-unset"],
          `the variable ${name} is not set; an empty text is used`,
          node.at,
          `set it, or write \${${name}:-default}`,
        ),
    });
    return { ...node, value, interpolated: true };
  } catch (thrown) {
    const problem = FairleadError.from(thrown);
    findings.error(problem.kind, problem.message, node.at);
    return { ...node, value: "", interpolated: true };
  }
}
