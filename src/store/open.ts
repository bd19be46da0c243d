// SPDX-License-Identifier: Apache-2.0
// The only way to a driver.
import type { Clock } from "#base/clock.ts";
import type { ConsulStoreOptions } from "./drivers/consul/driver.ts";
import type { EtcdStoreOptions } from "./drivers/etcd/driver.ts";
import { createMemoryStore } from "./drivers/memory/driver.ts";
import { openSqliteStore } from "./drivers/sqlite/driver.ts";
import type { SqliteStoreOptions } from "./drivers/sqlite/driver.ts";
import { locateFiles, moveAside } from "./drivers/sqlite/files.ts";
import type { Store } from "./store.ts";

export type StoreOptions =
  | ({ readonly kind: "sqlite" } & SqliteStoreOptions)
  | ({ readonly kind: "etcd" } & EtcdStoreOptions)
  | ({ readonly kind: "consul" } & ConsulStoreOptions)
  | { readonly kind: "memory" };

/**
 * Opens the store that the options name; the caller disposes of it. Throws FL0405 `store-locked` when another process
 * owns it, FL0404 `store-corrupt` when it is damaged: then see `quarantineStore`, and FL0401 `store-unavailable` or
 * FL0408 `store-refused` when a backend of its own does not answer or does not want us.
 */
export async function openStore(
  options: StoreOptions,
  { clock }: { clock: Clock },
): Promise<Store> {
  switch (options.kind) {
    case "sqlite":
      return openSqliteStore(options, { clock });
    case "etcd": {
      // Its gRPC is ten megabytes that a node without etcd has no use for.
      const { openEtcdStore } = await import("./drivers/etcd/driver.ts");
      return openEtcdStore(options, { clock });
    }
    case "consul": {
      const { openConsulStore } = await import("./drivers/consul/driver.ts");
      return openConsulStore(options, { clock });
    }
    case "memory":
      return createMemoryStore({ clock });
    default:
      return options satisfies never;
  }
}

/**
 * Moves the files of a corrupt store aside as `<name>.corrupt-<time>`, so that openStore starts with an empty one. Call
 * it only after openStore threw `store-corrupt`, when nothing holds the files. Returns the new paths.
 */
export function quarantineStore(
  options: StoreOptions,
  { clock }: { clock: Clock },
): readonly string[] {
  switch (options.kind) {
    case "sqlite":
      return moveAside(locateFiles(options.directory), clock.nowMs());
    case "etcd":
    case "consul":
    case "memory":
      return [];
    default:
      return options satisfies never;
  }
}
