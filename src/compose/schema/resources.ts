// SPDX-License-Identifier: Apache-2.0
// The top-level networks, volumes, configs and secrets.
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
} from "#compose/shape.ts";
import { child, textOf } from "#compose/tree.ts";
import {
  address,
  cidr,
  driverOptions,
  externalForm,
  path,
  resourceKeys,
  settings,
  oneOrMore,
} from "./forms.ts";

const options = driverOptions;

const pool = object({
  subnet: key(cidr, "Addresses of the network, for example 172.28.0.0/16."),
  ip_range: key(cidr, "Addresses that instances get."),
  gateway: key(address, "Address of the gateway."),
  aux_addresses: key(recordOf(address), "Addresses that are taken, by name."),
});

/** A network of the project. */
export const network = orNull(
  object(
    {
      ...resourceKeys,
      driver: key(
        text(),
        '`bridge` (default), `macvlan`, `ipvlan`, `overlay`, `none`, `host`; `vxlan`: over all hosts of a fleet, encrypted with `driver_opts: {encrypted: ""}`.',
      ),
      driver_opts: key(
        options,
        "Options of the driver, for example com.docker.network.driver.mtu.",
      ),
      attachable: key(flag(), "Containers outside of Swarm services may join an overlay."),
      internal: key(flag(), "No way out of the network."),
      enable_ipv6: key(flag(), "With IPv6."),
      enable_ipv4: unsupported(
        flag(),
        "Without IPv4 when false.",
        "engines before 28 always have it",
      ),
      labels: key(settings, "Labels of the network."),
      ipam: key(
        object({
          driver: key(text(), "IPAM driver."),
          config: key(
            listOf(pool, { keyOf: (item) => textOf(child(item, "subnet")) ?? "" }),
            "Address pools.",
          ),
          options: key(recordOf(text()), "Options of the IPAM driver."),
        }),
        "Where addresses come from.",
      ),
    },
    externalForm,
  ),
);

/** A volume of the project. */
export const volume = orNull(
  object(
    {
      ...resourceKeys,
      driver: key(text(), "Driver; default local."),
      driver_opts: key(options, "Options of the driver."),
      labels: key(settings, "Labels of the volume."),
    },
    externalForm,
  ),
);

const SWARM = "it is kept by Swarm; contents come from file, environment or content here";

const contentKeys = {
  ...resourceKeys,
  file: key(path, "File on this machine."),
  environment: key(text(), "Variable that holds the contents."),
  labels: unsupported(settings, "Labels.", SWARM),
  template_driver: unsupported(text(), "Template driver.", SWARM),
};

/** A config of the project. */
export const config = object(
  { ...contentKeys, content: key(text(), "The contents themselves.") },
  externalForm,
);

/** A secret of the project. */
export const secret = object(
  {
    ...contentKeys,
    driver: unsupported(text(), "Driver.", SWARM),
    driver_opts: unsupported(options, "Options of the driver.", SWARM),
  },
  externalForm,
);

const NO_MODELS = "Fairlead runs containers; run the model as a service of its own";

/** Why models do not work, for every key that names them. */
export const MODELS_UNSUPPORTED = NO_MODELS;

/** An AI model of the project; read, not acted on. */
export const model = object(
  {
    name: key(text(), "Name."),
    model: key(text(), "Model."),
    context_size: key(number({ integer: true, strict: true }), "Tokens of context."),
    runtime_flags: key(listOf(text(), { merge: "replace" }), "Flags of the runner."),
  },
  { required: ["model"] },
);

/** What to do when sources change; read, not acted on. */
export const develop = orNull(
  object({
    watch: key(
      listOf(
        object(
          {
            path: key(text(), "Path to watch."),
            action: key(
              text({
                check: (t) =>
                  ["rebuild", "sync", "restart", "sync+restart", "sync+exec"].includes(t),
                form: "rebuild, sync, restart, sync+restart or sync+exec",
              }),
              "What to do.",
            ),
            target: key(text(), "Path in the container."),
            ignore: key(oneOrMore, "Patterns to leave out."),
            include: key(oneOrMore, "Patterns to take."),
            initial_sync: key(flag({ strict: true }), "Sync at the start."),
            exec: key(recordOf(orNull({ kind: "any" })), "Command to run after it."),
          },
          { required: ["path", "action"] },
        ),
      ),
      "Rules.",
    ),
  }),
);
