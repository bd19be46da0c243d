// SPDX-License-Identifier: Apache-2.0
// Reading one document of a policy file: every field is asked for by name, and what nobody asked for is an error.
import type { Location } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { Findings } from "#compose/findings.ts";
import { describeKind, isNull, type MapNode, type ScalarNode, type Tree } from "#compose/tree.ts";
import { policyErrors } from "./errors.ts";

/** A value with the way to it, `spec.ingress[0].ports[1].endPort`, for messages. */
export interface Field {
  readonly tree: Tree;
  readonly path: string;
}

/** Collects what is wrong, so that a person sees all of it at once. */
export interface Reader {
  /** Notes that a value cannot be so. */
  complain(field: Field, message: string, hint?: string): void;
  /** A mapping that has only these fields; undefined when it is something else. */
  mapping(field: Field, known: readonly string[]): Mapping | undefined;
  /** The items of a list; none when it is something else. */
  items(field: Field | undefined): readonly Field[];
  /** A text; undefined when it is absent or something else. */
  text(field: Field | undefined): string | undefined;
  /** A whole number from 1 to `max`; undefined when it is absent or something else. */
  count(field: Field | undefined, max: number): number | undefined;
  /** `{ app: web }`; empty when it is something else. */
  texts(field: Field | undefined): Readonly<Record<string, string>>;
}

/** A mapping whose fields were checked. */
export interface Mapping {
  readonly at: Location;
  /** The field; undefined when it is absent or null. */
  get(name: string): Field | undefined;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** A reader that notes into `findings`. */
export function createReader(findings: Findings): Reader {
  function complain({ tree, path }: Field, message: string, hint?: string): void {
    findings.error(policyErrors["bad-policy"], `${path}: ${message}`, tree.at, hint);
  }

  function asMap(field: Field): MapNode | undefined {
    if (field.tree.kind === "map") return field.tree;
    complain(field, `has to be a mapping, not ${describeKind(field.tree)}`);
    return undefined;
  }

  function asScalar(field: Field, wanted: string): ScalarNode | undefined {
    if (field.tree.kind === "scalar") return field.tree;
    complain(field, `has to be ${wanted}, not ${describeKind(field.tree)}`);
    return undefined;
  }

  function text(field: Field | undefined): string | undefined {
    if (field === undefined) return undefined;
    const node = asScalar(field, "a text");
    if (node === undefined || typeof node.value === "string") return node?.value as string;
    complain(field, `has to be a text, not ${describeKind(node)}`, "put it in quotes");
    return undefined;
  }

  return {
    complain,
    text,
    mapping(field, known) {
      const node = asMap(field);
      if (node === undefined) return undefined;
      for (const [name, { keyAt }] of node.entries) {
        if (known.includes(name)) continue;
        const nearest = findNearest(name, known);
        findings.error(
          policyErrors["policy-unknown-field"],
          `${join(field.path, name)} is no field there`,
          keyAt,
          nearest === undefined ? undefined : `did you mean ${nearest}?`,
        );
      }
      return {
        at: node.at,
        get(name) {
          const tree = node.entries.get(name)?.value;
          if (tree === undefined || isNull(tree)) return undefined;
          return { tree, path: join(field.path, name) };
        },
      };
    },
    items(field) {
      if (field === undefined) return [];
      const { tree, path } = field;
      if (tree.kind === "list")
        return tree.items.map((item, index) => ({ tree: item, path: `${path}[${index}]` }));
      complain(field, `has to be a list, not ${describeKind(tree)}`);
      return [];
    },
    count(field, max) {
      if (field === undefined) return undefined;
      const value = asScalar(field, "a number")?.value;
      if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max)
        return value;
      if (field.tree.kind === "scalar") complain(field, `has to be a number from 1 to ${max}`);
      return undefined;
    },
    texts(field) {
      const node = field === undefined ? undefined : asMap(field);
      const found: [string, string][] = [];
      for (const [name, { value }] of node?.entries ?? []) {
        const one = text({ tree: value, path: join(field?.path ?? "", name) });
        if (one !== undefined) found.push([name, one]);
      }
      return Object.fromEntries(found);
    },
  };
}
