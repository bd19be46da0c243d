// SPDX-License-Identifier: Apache-2.0
import { composeErrors } from "#compose/errors.ts";
import type { Findings } from "#compose/findings.ts";
import { flag, key, listOf, number, object, text, unsupported, word } from "#compose/shape.ts";
import {
  child,
  map,
  type MapNode,
  scalar,
  textOf,
  type ScalarNode,
  type Tree,
  withEntry,
} from "#compose/tree.ts";
import { settings, size } from "./forms.ts";

const PROPAGATIONS = new Set(["private", "rprivate", "shared", "rshared", "slave", "rslave"]);
const CONSISTENCIES = new Set(["consistent", "cached", "delegated"]);

function isHostPath(source: string): boolean {
  return /^(?:[./~]|[A-Za-z]:\\)/.test(source);
}

/** `C:\data:/data` begins with a drive letter; `c:/data` is a volume called c. */
function splitShort(written: string): string[] {
  const drive = /^[A-Za-z]:\\/.test(written) ? written.slice(0, 2) : "";
  const parts = written.slice(drive.length).split(":");
  return drive === "" ? parts : [`${drive}${parts[0] ?? ""}`, ...parts.slice(1)];
}

interface ShortOptions {
  readOnly?: boolean;
  nocopy?: boolean;
  propagation?: string;
  selinux?: string;
  consistency?: string;
}

function readOptions(text: string): ShortOptions | string {
  const options: ShortOptions = {};
  for (const option of text.split(",")) {
    if (option === "ro") options.readOnly = true;
    else if (option === "rw") options.readOnly = false;
    else if (option === "nocopy") options.nocopy = true;
    else if (option === "z" || option === "Z") options.selinux = option;
    else if (PROPAGATIONS.has(option)) options.propagation = option;
    else if (CONSISTENCIES.has(option)) options.consistency = option;
    else return option;
  }
  return options;
}

function expandMount(node: Tree, findings: Findings): Tree {
  if (node.kind === "map") return node;
  if (node.kind !== "scalar" || typeof node.value !== "string") return node;
  const parts = splitShort(node.value);
  const [first = "", second, third] = parts;
  const source = second === undefined ? undefined : first;
  const target = second ?? first;
  if (parts.length > 3 || target === "" || source === "") {
    findings.error(
      composeErrors["bad-value"],
      `"${node.value}" is not a volume; write [source:]target[:options]`,
      node.at,
    );
    return scalar(null, node.at);
  }
  const options = third === undefined ? {} : readOptions(third);
  if (typeof options === "string") {
    findings.error(
      composeErrors["bad-value"],
      `"${options}" is not an option of a volume; known are ro, rw, nocopy, z, Z, ${[...PROPAGATIONS].join(", ")}`,
      node.at,
    );
    return scalar(null, node.at);
  }
  return buildMount(node, source, target, options);
}

function buildMount(
  node: ScalarNode,
  source: string | undefined,
  target: string,
  options: ShortOptions,
): MapNode {
  const bind = source !== undefined && isHostPath(source);
  const { at } = node;
  const details = bind
    ? map(
        { create_host_path: true, propagation: options.propagation, selinux: options.selinux },
        at,
      )
    : map({ nocopy: options.nocopy }, at);
  return map(
    {
      type: bind ? "bind" : "volume",
      source,
      target,
      read_only: options.readOnly === true ? true : undefined,
      consistency: options.consistency,
      [bind ? "bind" : "volume"]: details.entries.size === 0 ? undefined : details,
    },
    at,
  );
}

function resolveSource(node: Tree, resolve: (path: string) => string): Tree {
  const source = textOf(child(node, "source"));
  const bound = textOf(child(node, "type")) === "bind";
  if (node.kind !== "map" || !bound || source === undefined) return node;
  if (/^[A-Za-z]:\\/.test(source)) return node;
  return withEntry(node, "source", scalar(resolve(source), child(node, "source")?.at ?? node.at));
}

function normaliseTarget(target: string): string {
  return target.length > 1 ? target.replace(/\/+$/, "") : target;
}

/** Mounts of a service, short and long form. */
export const volumes = listOf(
  object(
    {
      type: key(
        word(["bind", "volume", "tmpfs", "cluster", "npipe", "image"]),
        "`bind`, `volume`, `tmpfs`, `image`; `npipe` and `cluster` are passed on to engines that know them.",
      ),
      source: key(
        text(),
        "Path on the host, key of a volume, or image; absent for an anonymous volume.",
      ),
      target: key(
        text({
          form: "an absolute path in the container",
          check: (t) => t.startsWith("/") || /^[A-Za-z]:\\/.test(t),
          rewrite: normaliseTarget,
        }),
        "Absolute path in the container.",
      ),
      read_only: key(flag(), "The container cannot write to it."),
      consistency: key(text(), "For Docker Desktop; passed on."),
      bind: key(
        object({
          propagation: key(
            text({
              check: (t) => PROPAGATIONS.has(t),
              form: `one of ${[...PROPAGATIONS].join(", ")}`,
            }),
            "Propagation of mounts made below.",
          ),
          create_host_path: key(flag(), "Make the directory on the host when it is missing."),
          recursive: key(
            word(["enabled", "disabled", "writable", "readonly"]),
            "Whether mounts below are mounted too; `disabled` is acted on.",
          ),
          selinux: key(word(["z", "Z"]), "SELinux label: `z` shared, `Z` private."),
        }),
        "For `bind`.",
      ),
      volume: key(
        object({
          labels: key(settings, "Labels of a volume made for this mount."),
          nocopy: key(flag(), "Leave a new volume empty instead of filling it from the image."),
          subpath: key(text(), "A directory inside the volume; engine 26 and newer."),
        }),
        "For `volume`.",
      ),
      tmpfs: key(
        object({
          size: key(size, "Most bytes it may hold."),
          mode: key(
            number({ integer: true, octal: true, min: 0, max: 0o7777 }),
            "Permissions, octal.",
          ),
        }),
        "For `tmpfs`.",
      ),
      image: key(
        object({
          subpath: unsupported(
            text(),
            "A directory inside the image.",
            "the engine interface in use has no such field",
          ),
        }),
        "For `image`.",
      ),
    },
    {
      required: ["type"],
      merge: "replace",
      expand: expandMount,
      resolvePaths: resolveSource,
      words: "a text or a mapping",
    },
  ),
  { keyOf: (item) => textOf(child(item, "target")) ?? "" },
);
