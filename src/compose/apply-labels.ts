// SPDX-License-Identifier: Apache-2.0
// fairlead.* from its four places: labels, the service's x-fairlead, deploy.labels, the file's x-fairlead, in this order.
import { findNearest } from "#base/nearest.ts";
import { composeErrors } from "./errors.ts";
import { FAIRLEAD_WORDS, LABEL_PREFIX, wordOf } from "./fairlead-words.ts";
import type { Findings } from "./findings.ts";
import { child, type Entry, type MapNode, scalar, textOf, type Tree, withEntry } from "./tree.ts";

/** Words of a file's x-fairlead that are not labels, and why they have no effect. */
const FILE_WORDS: Readonly<Record<string, string>> = {
  policies: "policies are not enforced by this version",
};

interface Found {
  readonly word: string;
  readonly entry: Entry;
}

/** The service with every fairlead setting among its labels. Unknown words, bad values and conflicts become warnings, bad values of what keeps somebody out errors. */
export function applyLabels(service: MapNode, file: Tree | undefined, findings: Findings): MapNode {
  const labels = child(service, "labels");
  const places: readonly (readonly Found[])[] = [
    readLabels(labels),
    readStructured(child(service, "x-fairlead"), findings),
    readLabels(child(child(service, "deploy"), "labels")),
    readFileWords(file, findings),
  ];
  const settled = new Map<string, Entry>();
  for (const [rank, place] of places.entries()) {
    for (const { word, entry } of place) {
      if (!checkWord(word, entry, findings)) continue;
      const before = settled.get(word);
      if (before === undefined) settled.set(word, entry);
      else if (rank < places.length - 1) reportConflict(word, before, entry, findings);
    }
  }
  const entries = new Map(labels?.kind === "map" ? labels.entries : []);
  for (const [word, entry] of settled) {
    if (!entries.has(LABEL_PREFIX + word)) entries.set(LABEL_PREFIX + word, entry);
  }
  if (entries.size === 0) return service;
  return withEntry(service, "labels", { kind: "map", entries, at: labels?.at ?? service.at });
}

function readLabels(node: Tree | undefined): Found[] {
  if (node?.kind !== "map") return [];
  return [...node.entries].flatMap(([label, entry]) => {
    const word = wordOf(label);
    return word === undefined ? [] : [{ word, entry }];
  });
}

function readFileWords(node: Tree | undefined, findings: Findings): Found[] {
  return readStructured(node, findings, FILE_WORDS).filter(({ word, entry }) => {
    const known = Object.hasOwn(FAIRLEAD_WORDS, word) ? FAIRLEAD_WORDS[word] : undefined;
    if (known === undefined || known.common) return true;
    findings.warn(
      composeErrors["bad-label"],
      `x-fairlead.${word} says something about one service, and has no effect for a whole file`,
      entry.keyAt,
      `write it at the service`,
    );
    return false;
  });
}

/** `allow: {from: [a, b]}` as `allow.from`, and structured values as the text that the label takes. */
function readStructured(
  node: Tree | undefined,
  findings: Findings,
  others: Readonly<Record<string, string>> = {},
): Found[] {
  if (node === undefined) return [];
  if (node.kind !== "map") {
    findings.warn(composeErrors["bad-label"], "x-fairlead has to be a mapping", node.at);
    return [];
  }
  return [...node.entries].flatMap(([word, entry]): Found[] => {
    const why = Object.hasOwn(others, word) ? others[word] : undefined;
    if (why !== undefined) {
      findings.warn(
        composeErrors["unsupported-key"],
        `x-fairlead.${word} has no effect: ${why}`,
        entry.keyAt,
      );
      return [];
    }
    if (word === "allow" && entry.value.kind === "map") {
      return [...entry.value.entries].map(([side, inner]) => flatten(`allow.${side}`, inner));
    }
    return [flatten(word, entry)];
  });
}

function flatten(word: string, { keyAt, value }: Entry): Found {
  return { word, entry: { keyAt, value: scalar(writeValue(word, value), value.at) } };
}

function writeValue(word: string, value: Tree): string {
  if (value.kind === "scalar") return textOf(value) ?? "";
  if (value.kind === "list") return value.items.map((item) => textOf(item) ?? "").join(",");
  const parts = new Map([...value.entries].map(([key, entry]) => [key, textOf(entry.value) ?? ""]));
  const rest = (...used: string[]): string[] =>
    [...parts].filter(([key]) => !used.includes(key)).map(([key, text]) => `${key}=${text}`);
  if (word === "heal") {
    const max = parts.has("max") ? [`max=${parts.get("max")}/${parts.get("in") ?? "10m"}`] : [];
    return [parts.get("do") ?? "restart", ...max, ...rest("do", "max", "in")].join(" ");
  }
  if (word === "scale") {
    const least = parts.get("min") ?? "1";
    return [`${least}..${parts.get("max") ?? least}`, ...rest("min", "max")].join(" ");
  }
  if (word === "route" || word === "place")
    return [parts.get("by"), ...rest("by")].filter(Boolean).join(" ");
  if (word === "capture") return [...rest("for"), parts.get("for") ?? ""].join(" ").trim();
  if (word === "port") return [parts.get("port"), parts.get("protocol")].filter(Boolean).join("/");
  return rest().join(" ");
}

function checkWord(word: string, entry: Entry, findings: Findings): boolean {
  const known = Object.hasOwn(FAIRLEAD_WORDS, word) ? FAIRLEAD_WORDS[word] : undefined;
  if (known === undefined) {
    const nearest = findNearest(word.slice(0, 64), Object.keys(FAIRLEAD_WORDS));
    findings.warn(
      composeErrors["unknown-label"],
      `unknown label ${LABEL_PREFIX}${word}`,
      entry.keyAt,
      nearest === undefined ? undefined : `did you mean ${LABEL_PREFIX}${nearest}?`,
    );
    return false;
  }
  const value = textOf(entry.value) ?? "";
  if (known.check(value)) {
    const idle = known.idle?.(value);
    if (idle !== undefined) {
      const message = `${LABEL_PREFIX}${word} is not acted on: ${idle}`;
      findings.warn(composeErrors["unsupported-key"], message, entry.keyAt);
    }
    return true;
  }
  const problem = known.problem === undefined ? "" : `: ${known.problem(value)}`;
  const complaint = [
    composeErrors["bad-label"],
    `${LABEL_PREFIX}${word}: "${value}" ${known.guards === true ? "would keep nobody out" : "has no effect"}${problem}`,
    entry.value.at,
    `write ${known.form}`,
  ] as const;
  if (known.guards === true) findings.error(...complaint);
  else findings.warn(...complaint);
  return false;
}

function reportConflict(word: string, kept: Entry, other: Entry, findings: Findings): void {
  const value = textOf(kept.value) ?? "";
  if (value === textOf(other.value)) return;
  findings.warn(
    composeErrors["label-conflict"],
    `${LABEL_PREFIX}${word} is "${value}" in line ${kept.keyAt.line ?? 0} and "${textOf(other.value) ?? ""}" here; the former is used`,
    other.keyAt,
  );
}
