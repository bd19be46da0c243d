// SPDX-License-Identifier: Apache-2.0
// Forms that many keys of the Compose Specification share.
import { parseDuration } from "#base/duration.ts";
import { parseSize } from "#base/size.ts";
import { isAddress, isCidr, isMac } from "#compose/addresses.ts";
import { composeErrors } from "#compose/errors.ts";
import type { Findings } from "#compose/findings.ts";
import {
  flag,
  key,
  listOf,
  number,
  object,
  orNull,
  recordOf,
  type Shape,
  text,
  type Typed,
} from "#compose/shape.ts";
import { splitWords } from "#compose/split-words.ts";
import {
  child,
  type Entry,
  isNull,
  list,
  map,
  scalar,
  textOf,
  type Tree,
  withEntry,
} from "#compose/tree.ts";

function passes(parse: (text: string) => unknown): (text: string) => boolean {
  return (written) => {
    try {
      parse(written);
      return true;
    } catch {
      return false;
    }
  };
}

/** `1m30s`. */
export const duration = text({
  form: "a duration, for example 500ms, 10s, 1m30s",
  check: passes(parseDuration),
});

function isSize(written: string): boolean {
  return written.trim() === "-1" || passes(parseSize)(written);
}

function toBytes(written: string): string {
  return written.trim() === "-1" ? "-1" : String(parseSize(written));
}

/** `64m`, kept as bytes in decimal digits; -1 where the engine takes it for "no limit". */
export const size = text({
  loose: "numbers",
  form: "a size, for example 64m, 1.5g, 1024",
  check: isSize,
  rewrite: toBytes,
  words: "a size",
});

/** A size that the official schema takes only as text. */
export const sizeText = text({ form: size.form ?? "", check: isSize, rewrite: toBytes });
/** A size that the official schema takes as text or whole number. */
export const wholeSize = text({ ...sizeText, loose: "integers" });

/** A path on this machine, made absolute against the directory of the project. */
export const path = text({
  resolvePaths: (node, resolve) => {
    const written = textOf(node);
    return written === undefined ? node : { ...node, ...scalar(resolve(written), node.at) };
  },
});

function same(item: Tree): string {
  return textOf(item) ?? "";
}

/** An address of the Internet Protocol. */
export const address = text({ check: isAddress, form: "an IP address" });
/** Addresses of a network. */
export const cidr = text({
  check: isCidr,
  form: "a range of addresses, for example 172.28.0.0/16",
});
/** A hardware address. */
export const mac = text({ check: isMac, form: "a MAC address, for example 02:42:ac:11:00:02" });

/** A list of texts without repetitions. */
export const words = listOf(text(), { keyOf: same, words: "a list of texts" });
/** A list of texts and numbers without repetitions. */
export const looseWords = listOf(text({ loose: "numbers" }), { keyOf: same });
/** A list of texts in which order and repetition mean something. */
export const texts = listOf(text(), { words: "a list of texts" });

/** A single value as a list of one. */
export function toList(node: Tree): Tree {
  return node.kind === "list" ? node : { ...list([untag(node)], node.at), ...tagOf(node) };
}

function untag(node: Tree): Tree {
  const { tag: _, ...rest } = node;
  return rest;
}

function tagOf(node: Tree): Pick<Tree, "tag"> {
  return node.tag === undefined ? {} : { tag: node.tag };
}

/** One text or a list of texts. */
export const oneOrMore = listOf(text(), {
  keyOf: same,
  expand: toList,
  words: "a text or a list of texts",
});

/** One path or a list of paths. */
export const pathOrPaths = listOf(path, {
  keyOf: same,
  expand: toList,
  words: "a path or a list of paths",
});

function splitSettings(node: Tree, findings: Findings): Tree {
  if (node.kind !== "list") return node;
  const entries = new Map<string, Entry>();
  for (const item of node.items) {
    if (item.kind !== "scalar" || typeof item.value !== "string") {
      findings.error(
        composeErrors["wrong-type"],
        "an item of this list has to be NAME=value",
        item.at,
      );
      continue;
    }
    const split = item.value.indexOf("=");
    const name = split < 0 ? item.value : item.value.slice(0, split);
    if (name === "") {
      findings.error(composeErrors["bad-value"], `"${item.value}" has no name before =`, item.at);
      continue;
    }
    const value = scalar(split < 0 ? null : item.value.slice(split + 1), item.at);
    entries.set(name, { keyAt: item.at, value });
  }
  return { kind: "map", entries, at: node.at };
}

/** `NAME: value` or a list of `NAME=value`. An empty value means: take it from elsewhere. */
export const settings = recordOf(orNull(text({ loose: "any" })), {
  expand: splitSettings,
  words: "a mapping or a list of NAME=value",
});

/** Options of a driver: texts and numbers. */
export const driverOptions = recordOf(text({ loose: "numbers" }), { words: "a mapping" });

function splitHosts(node: Tree, findings: Findings): Tree {
  if (node.kind === "map") {
    const entries = [...node.entries].map(([name, entry]): [string, Entry] => [
      name,
      { ...entry, value: toList(entry.value) },
    ]);
    return { ...node, entries: new Map(entries) };
  }
  if (node.kind !== "list") return node;
  const entries = new Map<string, Entry>();
  for (const item of node.items) {
    const written = item.kind === "scalar" && typeof item.value === "string" ? item.value : "";
    const match = /^([^=:\s]+)\s*[=:]\s*(.+)$/.exec(written);
    const [, name = "", address = ""] = match ?? [];
    if (match === null) {
      findings.error(composeErrors["bad-value"], "a host has to be NAME=address", item.at);
      continue;
    }
    const before = entries.get(name)?.value;
    const addresses = before?.kind === "list" ? before.items : [];
    entries.set(name, {
      keyAt: item.at,
      value: list([...addresses, scalar(address, item.at)], item.at),
    });
  }
  return { kind: "map", entries, at: node.at };
}

const hostAddress = text({ rewrite: (written) => written.replace(/^\[(.*)\]$/, "$1") });

/** Names and their addresses: a mapping, or a list of `NAME=address`. */
export const hosts = recordOf(listOf(hostAddress, { keyOf: same }), {
  expand: splitHosts,
  words: "a mapping or a list of NAME=address",
});

function splitCommand(node: Tree, findings: Findings): Tree {
  if (node.kind !== "scalar" || typeof node.value !== "string") return node;
  const split = splitWords(node.value);
  if (split === undefined) {
    findings.error(composeErrors["bad-value"], "a quote in this command is not closed", node.at);
    return node;
  }
  return list(
    split.map((part) => scalar(part, node.at)),
    node.at,
  );
}

/** A command as a list of words; a text is split as a shell would, and no shell is run. */
export const command = orNull(
  listOf(text(), { expand: splitCommand, merge: "replace", words: "a text or a list of texts" }),
);

function expandExternal(node: Tree, findings: Findings): Tree {
  if (node.kind !== "map") return node;
  const external = child(node, "external");
  if (external?.kind !== "map") return node;
  for (const [name, { keyAt }] of external.entries) {
    if (name === "name" || name.startsWith("x-")) continue;
    findings.error(
      composeErrors["unknown-key"],
      `unknown key "${name}" in external`,
      keyAt,
      "name is all it takes",
    );
  }
  const named = withEntry(node, "external", scalar(true, external.at));
  const name = child(external, "name");
  return name === undefined || child(node, "name") !== undefined
    ? named
    : withEntry(named, "name", name);
}

/** `external: {name: x}` of old files as `external: true` and `name: x`. */
export const externalForm = { expand: expandExternal };

/** The keys that networks, volumes, configs and secrets share. */
export const resourceKeys = {
  name: key(text(), "Name in the engine; default `PROJECT_KEY`."),
  external: key(flag(), "It exists already: used, never created, changed or removed."),
};

function expandUlimit(node: Tree): Tree {
  return node.kind === "scalar" && !isNull(node) && textOf(node) !== undefined
    ? map({ soft: node, hard: node }, node.at)
    : node;
}

/** Limits by name; a single number is both soft and hard. */
export const ulimits = recordOf(
  object(
    {
      soft: key(number({ integer: true, min: -1 }), "The limit in force; -1 is unlimited."),
      hard: key(number({ integer: true, min: -1 }), "The most that a process may set itself."),
    },
    {
      required: ["soft", "hard"],
      merge: "replace",
      expand: expandUlimit,
      words: "a number or a mapping of soft and hard",
    },
  ),
  { keyPattern: /^[a-z]+$/, keyForm: "the name of a limit, for example nofile" },
);

function expandMountedFile(node: Tree): Tree {
  return node.kind === "scalar" && typeof node.value === "string"
    ? map({ source: node }, node.at)
    : node;
}

function targetOf(directory: string): (item: Tree) => string {
  return (item) => {
    const target = textOf(child(item, "target")) ?? textOf(child(item, "source")) ?? "";
    return target.startsWith("/") ? target : `${directory}${target}`;
  };
}

/** The configs or secrets of a service; `directory` is where a relative target lies. */
export function mountedFiles(directory: string): Shape & Typed<readonly MountedFile[]> {
  const item = object(
    {
      source: key(text(), "Key of the config or secret."),
      target: key(text(), `Path in the container; default \`${directory}SOURCE\`.`),
      uid: key(text(), "Owner; default 0. Only for contents given in the file or by a variable."),
      gid: key(text(), "Group; default 0. Only for contents given in the file or by a variable."),
      mode: key(
        number({ integer: true, octal: true, min: 0, max: 0o7777 }),
        "Permissions, octal; default 0444.",
      ),
    },
    { merge: "replace", expand: expandMountedFile, words: "a name or a mapping" },
  );
  return listOf(item, { keyOf: targetOf(directory) });
}

/** A config or secret that a service uses. */
export interface MountedFile {
  readonly source?: string;
  readonly target?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly mode?: number;
}
