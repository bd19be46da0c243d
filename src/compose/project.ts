// SPDX-License-Identifier: Apache-2.0
import type { Location } from "#base/errors.ts";
import type { Diagnostic } from "#model/intent.ts";
import type { ProjectFile } from "./schema/project.ts";
import type { ServiceModel } from "./schema/service.ts";
import { child, toPlain, type Tree } from "./tree.ts";

/** One service of a project. */
export type { ServiceModel } from "./schema/service.ts";
type Section<K extends "networks" | "volumes" | "configs" | "secrets"> = NonNullable<
  ProjectFile[K]
>;

/** The effective project: keys as in the Compose Specification, long forms only, defaults filled in. Plain data. */
export interface Project {
  readonly name: string;
  readonly services: Readonly<Record<string, ServiceModel>>;
  readonly networks: Section<"networks">;
  readonly volumes: Section<"volumes">;
  readonly configs: Section<"configs">;
  readonly secrets: Section<"secrets">;
  /** Own keys of the file, `x-…`. */
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** Where each part of a project was written. */
export interface Origins {
  /** The place of a key; undefined for what no file says. Keys may have dots in them, so a path is a list. */
  find(path: readonly string[]): Location | undefined;
  /** The place of the key or of the nearest one above it. */
  findNear(path: readonly string[]): Location | undefined;
}

/** A loaded project with where its parts were written. */
export interface LoadResult {
  readonly project: Project;
  /** Absolute directory that relative paths were resolved against. */
  readonly projectDirectory: string;
  /** Warnings; a problem would have been thrown. */
  readonly diagnostics: readonly Diagnostic[];
  readonly origins: Origins;
  /** Every Compose file that was read, in order. */
  readonly files: readonly string[];
  /** Directories, links resolved, that what the files name may be read from; the project's own is the first. */
  readonly roots: readonly string[];
  /** Services left out because none of their profiles is active. */
  readonly inactive: readonly string[];
  /** The variables that interpolation saw. May hold secrets: never print it. */
  readonly environment: ReadonlyMap<string, string>;
}

/** The tree of a checked project as plain data. */
export function toProject(tree: Tree, name: string): Project {
  const section = (key: string): unknown => toPlain(child(tree, key) ?? emptyMap(tree.at));
  const extensions: Record<string, unknown> = {};
  for (const [key, { value }] of tree.kind === "map" ? tree.entries : []) {
    if (key.startsWith("x-")) extensions[key] = toPlain(value);
  }
  // canonicalise() has checked every value against the shapes that these types are inferred from.
  return {
    name,
    services: section("services") as Project["services"],
    networks: section("networks") as Project["networks"],
    volumes: section("volumes") as Project["volumes"],
    configs: section("configs") as Project["configs"],
    secrets: section("secrets") as Project["secrets"],
    extensions,
  };
}

function emptyMap(at: Location): Tree {
  return { kind: "map", entries: new Map(), at };
}

/** Places, looked up in the tree that the project came from. */
export function createOrigins(tree: Tree): Origins {
  function walk(path: readonly string[]): { at: Location | undefined; whole: boolean } {
    let node: Tree = tree;
    let at: Location | undefined;
    for (const key of path) {
      const item: Tree | undefined = node.kind === "list" ? node.items[Number(key)] : undefined;
      const entry = node.kind === "map" ? node.entries.get(key) : undefined;
      const next = entry?.value ?? item;
      if (next === undefined) return { at, whole: false };
      at = entry?.keyAt ?? next.at;
      node = next;
    }
    return { at, whole: true };
  }
  return {
    find(path) {
      const { at, whole } = walk(path);
      return whole ? at : undefined;
    },
    findNear: (path) => walk(path).at,
  };
}
