// SPDX-License-Identifier: Apache-2.0
import { key, listOf, number, object, orNull, text, unsupported, word } from "#compose/shape.ts";
import { scalar, textOf, type Tree, type MapNode } from "#compose/tree.ts";
import { duration, settings, sizeText, words } from "./forms.ts";

const count = number({ integer: true, min: 0 });
const ratio = number({ min: 0, max: 1 });

function expandCount(node: Tree): Tree {
  return textOf(node) === "all" ? scalar(-1, node.at) : node;
}

const deviceKeys = {
  capabilities: key(words, "What the device has to offer, for example gpu."),
  count: key(number({ integer: true, min: -1, expand: expandCount }), "How many; `all` is -1."),
  device_ids: key(words, "Which ones."),
  driver: key(text(), "Driver, for example nvidia."),
  options: key(settings, "Options of the driver."),
};

/** Devices that a container asks for, as Engine device requests. */
const deviceRequests = listOf(object(deviceKeys, { required: ["capabilities"] }));

function expandGpus(node: Tree): Tree {
  if (textOf(node) !== "all") return node;
  const every: MapNode = {
    kind: "map",
    at: node.at,
    entries: new Map([["count", { keyAt: node.at, value: scalar(-1, node.at) }]]),
  };
  return { kind: "list", items: [every], at: node.at };
}

/** `gpus: all` or a list of requests. */
export const gpus = listOf(object(deviceKeys), {
  expand: expandGpus,
  words: '"all" or a list of requests',
});

const generic = listOf(
  object({
    discrete_resource_spec: key(
      object({
        kind: key(text(), "Kind."),
        value: key(number(), "How many."),
      }),
      "One resource.",
    ),
  }),
);

const resources = object({
  limits: key(
    object({
      cpus: key(number({ min: 0 }), "Cores at most."),
      memory: key(sizeText, "Memory at most."),
      pids: key(number({ integer: true, min: -1 }), "Processes at most."),
    }),
    "What an instance may use.",
  ),
  reservations: key(
    object({
      cpus: key(number({ min: 0 }), "Cores kept for it where a fleet places it."),
      memory: key(
        sizeText,
        "Memory that it is pressed down to when the host is short of it, and kept for it where a fleet places it.",
      ),
      devices: key(deviceRequests, "Devices that it needs."),
      generic_resources: key(
        generic,
        "Resources of the owner's own: a fleet places it where the setting nodeDevices says that there are as many.",
      ),
    }),
    "What an instance needs.",
  ),
});

const rolloutKeys = {
  parallelism: key(count, "Instances changed at once; 0 is all; default 1."),
  delay: key(duration, "Wait between them."),
  failure_action: key(
    text({
      check: (t) => ["pause", "continue", "rollback"].includes(t),
      form: "pause, continue or rollback",
    }),
    "`pause` (default), `continue` or `rollback`.",
  ),
  monitor: key(duration, "How long a new instance has to stay up to count as good."),
  max_failure_ratio: unsupported(
    ratio,
    "Share of failures that is tolerated.",
    "the first failure acts as failure_action says",
  ),
  order: key(
    word(["start-first", "stop-first"]),
    "`start-first` or `stop-first`; default whichever is possible.",
  ),
};

/** How a service is run: how many, where, with what, and how a change is rolled out. */
export const deploy = orNull(
  object({
    mode: key(
      text({
        check: (t) => ["replicated", "global", "replicated-job", "global-job"].includes(t),
        form: "replicated, global, replicated-job or global-job",
      }),
      "`replicated` or `global` (one instance on one engine); jobs are not supported.",
    ),
    replicas: key(number({ integer: true, min: 0, max: 10_000 }), "Instances; default 1."),
    labels: key(settings, "Labels of the service; only `fairlead.*` has an effect here."),
    resources: key(resources, "Limits and needs."),
    restart_policy: key(
      object({
        condition: key(
          text({
            check: (t) => ["none", "on-failure", "any"].includes(t),
            form: "none, on-failure or any",
          }),
          "`none`, `on-failure` or `any`.",
        ),
        delay: key(duration, "Wait between attempts."),
        max_attempts: key(count, "Attempts before giving up; 0 is no limit."),
        window: key(duration, "How long an instance has to stay up to count as good."),
      }),
      "What to do when an instance has exited; wins over `restart`.",
    ),
    update_config: key(object(rolloutKeys), "How a change is rolled out."),
    rollback_config: unsupported(
      object(rolloutKeys),
      "How a change is taken back.",
      "a rollback goes by update_config",
    ),
    placement: key(
      object({
        constraints: key(
          words,
          "Conditions on the host, for example `node.labels.disk == ssd`; where one is not met nothing is made, what runs stays.",
        ),
        preferences: key(
          listOf(object({ spread: key(text(), "Label to spread over.") })),
          "Labels over whose values a fleet spreads instances, the widest first; default `node.labels.zone`.",
        ),
        max_replicas_per_node: key(
          count,
          "Most instances on one host, where a fleet places them; 0 is no limit.",
        ),
      }),
      "Where instances may run.",
    ),
    endpoint_mode: unsupported(text(), "`vip` or `dnsrr`.", "it is for Swarm's own load balancer"),
  }),
);
