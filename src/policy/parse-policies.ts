// SPDX-License-Identifier: Apache-2.0
// A file of Kubernetes manifests to policies: NetworkPolicy of networking.k8s.io/v1, Namespace for the labels of scopes, and
// lists of both. What the API server refuses is refused here, with line and field; so is what it only warns of.
import type { Location } from "#base/errors.ts";
import { createFindings, type Findings } from "#compose/findings.ts";
import { parseTrees } from "#compose/parse-tree.ts";
import type { SourceRef } from "#model/intent.ts";
import type { NetworkPolicy } from "#model/policy.ts";
import { createReader, type Field, type Mapping, type Reader } from "./document.ts";
import { policyErrors } from "./errors.ts";
import { readRules } from "./read-rules.ts";
import { readSelector } from "./read-selector.ts";
import { readTest, type PolicyTest } from "./read-tests.ts";

/** What a file declares. */
export interface PolicyFile {
  readonly policies: readonly NetworkPolicy[];
  /** Labels of scopes, from Namespace documents. */
  readonly scopes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Of documents that are nothing but `tests`. */
  readonly tests: readonly PolicyTest[];
}

export interface ParsePlace {
  /** Name of the file, for positions. */
  readonly file: string;
  /** The scope of what names none. */
  readonly scope: string | undefined;
}

const TOP = ["apiVersion", "kind", "metadata", "spec", "status"];
/** Of metadata, `name`, `namespace` and the labels of a Namespace mean something; the rest is what `kubectl get` adds. */
const METADATA = [
  "name",
  "namespace",
  "labels",
  "annotations",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "managedFields",
  "selfLink",
  "ownerReferences",
  "finalizers",
];
const SPEC = ["podSelector", "ingress", "egress", "policyTypes"];
const SCOPE = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const NAME = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Plain data of a place. */
function toSource({ file, line, column }: Location): SourceRef {
  return {
    file,
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  };
}

interface Parsing {
  readonly findings: Findings;
  readonly reader: Reader;
  readonly place: ParsePlace;
  readonly policies: NetworkPolicy[];
  readonly scopes: Record<string, Readonly<Record<string, string>>>;
  readonly tests: PolicyTest[];
}

function readName({ reader }: Parsing, metadata: Mapping, whole: Field): string {
  const field = metadata.get("name");
  const name = reader.text(field);
  if (field === undefined) reader.complain(whole, "metadata.name is missing");
  else if (name !== undefined && !NAME.test(name))
    reader.complain(field, "has to be lower-case letters, digits, - and ., at most 253 characters");
  return name ?? "";
}

function readScope({ reader, place }: Parsing, metadata: Mapping, whole: Field): string {
  const field = metadata.get("namespace");
  const scope = field === undefined ? place.scope : reader.text(field);
  if (scope === undefined) {
    if (field === undefined)
      reader.complain(whole, "metadata.namespace is missing", "name it, or give --scope");
    return "";
  }
  if (!SCOPE.test(scope)) reader.complain(field ?? whole, `"${scope}" is no name of a scope`);
  return scope;
}

/** Which directions it isolates: as written, else ingress always and egress where there are rules for it. */
function readTypes({ reader }: Parsing, spec: Mapping): ReadonlySet<string> {
  const field = spec.get("policyTypes");
  const items = reader.items(field);
  if (items.length === 0)
    return new Set(
      reader.items(spec.get("egress")).length > 0 ? ["Ingress", "Egress"] : ["Ingress"],
    );
  const types = items.map((item) => {
    const type = reader.text(item);
    if (type !== undefined && type !== "Ingress" && type !== "Egress")
      reader.complain(item, `"${type}" is neither Ingress nor Egress`);
    return type ?? "";
  });
  if (new Set(types).size !== types.length && field !== undefined)
    reader.complain(field, "names a direction twice");
  return new Set(types);
}

function readPolicy(parsing: Parsing, top: Mapping, whole: Field): void {
  const { reader } = parsing;
  const metadataField = top.get("metadata");
  const metadata = metadataField && reader.mapping(metadataField, METADATA);
  const specField = top.get("spec");
  const spec = specField && reader.mapping(specField, SPEC);
  if (metadataField === undefined) reader.complain(whole, "metadata is missing");
  if (specField === undefined) reader.complain(whole, "spec is missing");
  if (metadata === undefined || spec === undefined) return;
  const name = readName(parsing, metadata, whole);
  const scope = readScope(parsing, metadata, whole);
  const types = readTypes(parsing, spec);
  const selector = spec.get("podSelector");
  const rules = (direction: "ingress" | "egress") => {
    const read = reader
      .items(spec.get(direction))
      .flatMap((item) => readRules(reader, item, direction));
    return read.map((rule) => ({ ...rule, at: toSource(rule.at) }));
  };
  const [ingress, egress] = [rules("ingress"), rules("egress")];
  if (parsing.policies.some((other) => other.scope === scope && other.name === name))
    reader.complain(whole, `the policy ${scope}/${name} is here a second time`);
  parsing.policies.push({
    scope,
    name,
    instances: readSelector(reader, selector),
    ...(types.has("Ingress") ? { ingress } : {}),
    ...(types.has("Egress") ? { egress } : {}),
    at: toSource(whole.tree.at),
  });
}

function readNamespace(parsing: Parsing, top: Mapping, whole: Field): void {
  const { reader } = parsing;
  const field = top.get("metadata");
  const metadata = field && reader.mapping(field, METADATA);
  if (metadata === undefined) return reader.complain(whole, "metadata is missing");
  const name = readName(parsing, metadata, whole);
  if (!SCOPE.test(name)) reader.complain(whole, `"${name}" is no name of a scope`);
  parsing.scopes[name] = reader.texts(metadata.get("labels"));
}

function readDocument(parsing: Parsing, whole: Field): void {
  const { reader, findings } = parsing;
  if (whole.tree.kind === "map" && whole.tree.entries.has("tests")) {
    const items = reader.items(reader.mapping(whole, ["tests"])?.get("tests"));
    parsing.tests.push(...items.flatMap((item) => readTest(reader, item)));
    return;
  }
  const kind = whole.tree.kind === "map" ? whole.tree.entries.get("kind")?.value : undefined;
  const isList = kind?.kind === "scalar" && /^(?:NetworkPolicy)?List$/.test(String(kind.value));
  const top = reader.mapping(whole, isList ? ["apiVersion", "kind", "metadata", "items"] : TOP);
  if (top === undefined) return;
  const apiVersion = reader.text(top.get("apiVersion")) ?? "";
  const named = reader.text(top.get("kind")) ?? "";
  if (isList) {
    for (const item of reader.items(top.get("items"))) readDocument(parsing, item);
    return;
  }
  if (apiVersion === "networking.k8s.io/v1" && named === "NetworkPolicy")
    readPolicy(parsing, top, whole);
  else if (apiVersion === "v1" && named === "Namespace") readNamespace(parsing, top, whole);
  else
    findings.error(
      policyErrors["policy-kind"],
      `a ${named === "" ? "document without a kind" : named} of ${apiVersion === "" ? "no apiVersion" : apiVersion} cannot be here`,
      whole.tree.at,
    );
}

/**
 * Reads all documents of a text. Throws a ComposeFailure with all that is wrong: `bad-policy`, `policy-unknown-field`,
 * `policy-kind`, and of the text itself `not-yaml`, `duplicate-key`, `too-big`.
 */
export function parsePolicies(text: string, place: ParsePlace): PolicyFile {
  const findings = createFindings();
  const reader = createReader(findings);
  const parsing: Parsing = { findings, reader, place, policies: [], scopes: {}, tests: [] };
  for (const tree of parseTrees(text, place.file)) readDocument(parsing, { tree, path: "" });
  findings.throwIfAny();
  return { policies: parsing.policies, scopes: parsing.scopes, tests: parsing.tests };
}
