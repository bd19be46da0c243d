// SPDX-License-Identifier: Apache-2.0
// Keys of a service that are mappings or lists with a short and a long form.
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
  text,
  unsupported,
  word,
} from "#compose/shape.ts";
import { child, type Entry, list, map, scalar, textOf, type Tree } from "#compose/tree.ts";
import { address, driverOptions, duration, mac, path, wholeSize, toList, words } from "./forms.ts";

const NAME = /^[a-zA-Z0-9._-]+$/;

/** A list of names as a mapping from each name to `value`. */
function namesToMap(node: Tree, findings: Findings, value: (item: Tree) => Tree): Tree {
  if (node.kind !== "list") return node;
  const entries = new Map<string, Entry>();
  for (const item of node.items) {
    const name = item.kind === "scalar" && typeof item.value === "string" ? item.value : undefined;
    if (name === undefined) {
      findings.error(composeErrors["wrong-type"], "an item of this list has to be a name", item.at);
    } else {
      entries.set(name, { keyAt: item.at, value: value(item) });
    }
  }
  return { kind: "map", entries, at: node.at };
}

/** What a service waits for. */
export const dependsOn = recordOf(
  object(
    {
      condition: key(
        word(["service_started", "service_healthy", "service_completed_successfully"]),
        "What to wait for: started, healthy, or ended with exit code 0.",
      ),
      restart: key(flag(), "Restart this service after the other was restarted or recreated."),
      required: key(flag({ strict: true }), "When false, a missing dependency is only a warning."),
    },
    { required: ["condition"] },
  ),
  {
    keyPattern: NAME,
    words: "a list of services or a mapping",
    expand: (node, findings) =>
      namesToMap(node, findings, (item) => map({ condition: "service_started" }, item.at)),
  },
);

/** How a service is joined to networks. */
export const serviceNetworks = recordOf(
  orNull(
    object({
      aliases: key(words, "Further names on this network."),
      ipv4_address: key(address, "Fixed IPv4 address."),
      ipv6_address: key(address, "Fixed IPv6 address."),
      link_local_ips: key(words, "Link-local addresses."),
      mac_address: key(mac, "MAC address on this network."),
      driver_opts: key(driverOptions, "Options of the driver for this end."),
      priority: key(
        number({ strict: true }),
        "Networks are joined from the highest to the lowest.",
      ),
      gw_priority: key(
        number({ strict: true }),
        "The network with the highest gives the default route.",
      ),
      interface_name: unsupported(
        text(),
        "Name of the interface.",
        "engines before 28 choose it themselves",
      ),
    }),
  ),
  {
    keyPattern: NAME,
    words: "a list of networks or a mapping",
    expand: (node, findings) =>
      namesToMap(node, findings, (item) => ({ kind: "scalar", value: null, at: item.at })),
  },
);

/** Which models a service uses; read, not acted on. */
export const serviceModels = recordOf(
  orNull(
    object({
      endpoint_var: key(text(), "Variable for the address of the model."),
      model_var: key(text(), "Variable for the name of the model."),
    }),
  ),
  {
    words: "a list of models or a mapping",
    expand: (node, findings) =>
      namesToMap(node, findings, (item) => ({ kind: "scalar", value: null, at: item.at })),
  },
);

function expandEnvFiles(node: Tree): Tree {
  const files = toList(node);
  if (files.kind !== "list") return node;
  const items = files.items.map((item) =>
    item.kind === "scalar" && typeof item.value === "string" ? map({ path: item }, item.at) : item,
  );
  return { ...files, items };
}

/** Files of variables. */
export const envFiles = listOf(
  object(
    {
      path: key(path, "Path of the file."),
      required: key(flag(), "When false, a missing file is passed over; default true."),
      format: key(
        text({ check: (t) => t === "raw" || t === "", form: "raw" }),
        "`raw` takes every value as it stands; default: quotes, comments and variables work.",
      ),
    },
    { required: ["path"], extensible: false, merge: "replace", words: "a path or a mapping" },
  ),
  {
    expand: expandEnvFiles,
    words: "a path or a list",
    keyOf: (item) => textOf(child(item, "path")) ?? "",
  },
);

function expandDevice(node: Tree, findings: Findings): Tree {
  if (node.kind !== "scalar" || typeof node.value !== "string") return node;
  const [source = "", target = source, permissions, ...rest] = node.value.split(":");
  // A device of the Container Device Interface, `vendor.com/class=name`, is one name.
  const bad = source === "" || rest.length > 0;
  if (bad || (permissions !== undefined && !/^[rwm]+$/.test(permissions))) {
    findings.error(
      composeErrors["bad-value"],
      `"${node.value}" is not a device; write source[:target[:rwm]]`,
      node.at,
    );
    return scalar(null, node.at);
  }
  return map({ source, target, permissions: permissions ?? "rwm" }, node.at);
}

/** Devices of the host in the container. */
export const devices = listOf(
  object(
    {
      source: key(text(), "Device of the host."),
      target: key(text(), "Path in the container; default the same."),
      permissions: key(
        text({ check: (t) => /^[rwm]{1,3}$/.test(t), form: "letters of rwm" }),
        "`r`ead, `w`rite, `m`knod; default rwm.",
      ),
    },
    { required: ["source"], merge: "replace", expand: expandDevice, words: "a text or a mapping" },
  ),
  { keyOf: (item) => textOf(child(item, "target")) ?? textOf(child(item, "source")) ?? "" },
);

function expandTest(node: Tree): Tree {
  if (node.kind !== "scalar" || typeof node.value !== "string") return node;
  return list([scalar("CMD-SHELL", node.at), scalar(node.value, node.at)], node.at);
}

/** How the engine sees that an instance works. */
export const healthcheck = object({
  test: key(
    listOf(text(), { expand: expandTest, merge: "replace", words: "a text or a list of texts" }),
    '`["CMD", …]`, `["CMD-SHELL", "…"]`, `["NONE"]`, or a text for a shell in the container.',
  ),
  interval: key(duration, "Time between checks; default 30s."),
  timeout: key(duration, "Time that a check may take; default 30s."),
  retries: key(
    number({ integer: true, min: 0 }),
    "Failures in a row that make it unhealthy; default 3.",
  ),
  start_period: key(duration, "Failures in this time after the start do not count."),
  start_interval: key(duration, "Time between checks in the start period; engine 25 and newer."),
  disable: key(flag(), "No check, not even the one of the image."),
});

function mergeLogging(base: Tree, over: Tree): "replace" | "merge" {
  const before = textOf(child(base, "driver"));
  const after = textOf(child(over, "driver"));
  return before === undefined || after === undefined || before === after ? "merge" : "replace";
}

/** Where output goes. */
export const logging = object(
  {
    driver: key(text(), "Driver, for example json-file, local, syslog."),
    options: key(
      recordOf(orNull(text({ loose: "numbers" })), { words: "a mapping" }),
      "Options of the driver.",
    ),
  },
  { merge: mergeLogging },
);

const rate = object(
  {
    path: key(text(), "Device of the host."),
    rate: key(wholeSize, "Bytes or operations a second."),
  },
  { extensible: false, merge: "replace" },
);
const rates = listOf(rate, { keyOf: (item) => textOf(child(item, "path")) ?? "" });
const weight = number({ integer: true, min: 0, max: 1_000 });

/** Shares and limits of disks. */
export const blkio = object(
  {
    weight: key(weight, "Share of the disks, 10 to 1000."),
    weight_device: key(
      listOf(
        object(
          { path: key(text(), "Device."), weight: key(weight, "Share.") },
          { extensible: false, merge: "replace" },
        ),
        { keyOf: (item) => textOf(child(item, "path")) ?? "" },
      ),
      "Share by device.",
    ),
    device_read_bps: key(rates, "Most bytes read a second."),
    device_read_iops: key(rates, "Most reads a second."),
    device_write_bps: key(rates, "Most bytes written a second."),
    device_write_iops: key(rates, "Most writes a second."),
  },
  { extensible: false },
);
