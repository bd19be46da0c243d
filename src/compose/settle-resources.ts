// SPDX-License-Identifier: Apache-2.0
import {
  child,
  type Entry,
  isNull,
  map,
  type MapNode,
  scalar,
  textOf,
  type Tree,
  withEntry,
} from "./tree.ts";

const SECTIONS = ["networks", "volumes", "configs", "secrets"];

/** Gives every network, volume, config and secret its name in the engine, and adds the network `default` where it is used. */
export function settleResources(tree: MapNode, project: string): MapNode {
  let settled = useDefaultNetwork(tree) ? addDefaultNetwork(tree) : tree;
  for (const section of SECTIONS) {
    const node = child(settled, section);
    if (node?.kind !== "map") continue;
    const entries = new Map<string, Entry>();
    for (const [key, { keyAt, value }] of node.entries) {
      entries.set(key, { keyAt, value: nameResource(value, key, project, keyAt) });
    }
    settled = withEntry(settled, section, { ...node, entries });
  }
  return settled;
}

function nameResource(value: Tree, key: string, project: string, keyAt: Entry["keyAt"]): Tree {
  const node = value.kind === "map" ? value : map({}, isNull(value) ? keyAt : value.at);
  if (child(node, "name") !== undefined) return node;
  const external = textOf(child(node, "external")) === "true";
  return withEntry(node, "name", scalar(external ? key : `${project}_${key}`, keyAt));
}

function useDefaultNetwork(tree: MapNode): boolean {
  const services = child(tree, "services");
  if (services?.kind !== "map" || child(child(tree, "networks"), "default") !== undefined)
    return false;
  return [...services.entries.values()].some(
    ({ value }) => child(child(value, "networks"), "default") !== undefined,
  );
}

function addDefaultNetwork(tree: MapNode): MapNode {
  const networks = child(tree, "networks");
  const before = networks?.kind === "map" ? networks : map({}, tree.at);
  return withEntry(tree, "networks", withEntry(before, "default", map({}, tree.at)));
}
