// SPDX-License-Identifier: Apache-2.0
// `deploy.placement.constraints`, in the form that Compose and Swarm have.

/** How a constraint has to be written, in words. */
export const CONSTRAINT_FORM =
  "KEY == VALUE or KEY != VALUE with node.id, node.hostname, node.role, node.platform.os, node.platform.arch, node.labels.NAME or engine.labels.NAME";

/** What constraints speak of. */
export interface NodeTraits {
  readonly id: string;
  readonly hostName: string;
  /** `linux`. */
  readonly os: string;
  /** As the engine names it: `x86_64`, `aarch64`. */
  readonly arch: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Labels of the engine itself (`dockerd --label`). */
  readonly engineLabels: Readonly<Record<string, string>>;
}

/** `node.labels.disk == ssd` as parts. */
export interface Constraint {
  readonly text: string;
  readonly key: string;
  readonly equal: boolean;
  readonly value: string;
}

const FORM = /^\s*([a-z][\w.-]*)\s*(==|!=)\s*(.*?)\s*$/i;
const PLAIN_KEYS = new Set([
  "node.id",
  "node.hostname",
  "node.role",
  "node.platform.os",
  "node.platform.arch",
]);
const LABEL_KEY = /^(node|engine)\.labels\.(.+)$/;
/** Names of one architecture: Go's, and the kernel's. */
const ARCHES: Readonly<Record<string, string>> = { amd64: "x86_64", arm64: "aarch64" };

/** The parts of a constraint; undefined when it is none, or speaks of what no node has. */
export function parseConstraint(text: string): Constraint | undefined {
  const [, key = "", operator, value = ""] = FORM.exec(text) ?? [];
  if (operator === undefined || value === "") return undefined;
  if (!isTraitKey(key)) return undefined;
  return { text: text.trim(), key, equal: operator === "==", value };
}

/** Every node of a fleet may lead it, and one by itself does: all are what Swarm calls managers. */
const ROLE = "manager";

/** Whether a key is one that nodes have: `node.labels.zone`. */
export function isTraitKey(key: string): boolean {
  return PLAIN_KEYS.has(key) || LABEL_KEY.test(key);
}

/** What a node has under a key of constraints; undefined when it has no such label. */
export function readTrait(node: NodeTraits, key: string): string | undefined {
  const [, owner, label = ""] = LABEL_KEY.exec(key) ?? [];
  if (owner !== undefined) {
    const labels = owner === "node" ? node.labels : node.engineLabels;
    return Object.hasOwn(labels, label) ? labels[label] : undefined;
  }
  if (key === "node.id") return node.id;
  if (key === "node.hostname") return node.hostName;
  if (key === "node.role") return ROLE;
  return key === "node.platform.os" ? node.os : node.arch;
}

/** What a node has of that of which a constraint speaks: `node.labels.disk is hdd here`. */
export function describeTrait({ key }: Constraint, node: NodeTraits): string {
  const has = readTrait(node, key);
  return has === undefined ? `there is no ${key} here` : `${key} is ${has} here`;
}

/** As values are compared: without case, as Swarm does, and with one name for each architecture. */
function normalize(key: string, value: string): string {
  const lower = value.toLowerCase();
  return key === "node.platform.arch" ? (ARCHES[lower] ?? lower) : lower;
}

/** Whether a node is allowed. A label that it lacks differs from every value. */
export function isAllowed(constraint: Constraint, node: NodeTraits): boolean {
  const { key, equal, value } = constraint;
  const has = readTrait(node, key);
  return (has !== undefined && normalize(key, has) === normalize(key, value)) === equal;
}
