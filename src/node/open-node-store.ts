// SPDX-License-Identifier: Apache-2.0
// The store that the settings name.
import { readFile, stat } from "node:fs/promises";
import type { Clock } from "#base/clock.ts";
import { FairleadError, isKind } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import { readStorePlace, type SharedStoreKind } from "#config/store-endpoints.ts";
import { checkWhole } from "#store/copy-store.ts";
import { storeErrors } from "#store/errors.ts";
import { openStore, quarantineStore, type StoreOptions } from "#store/open.ts";
import type { Store } from "#store/store.ts";

const OTHERS_MAY_READ = 0o077;

export interface OpenedStore {
  readonly store: Store;
  /** What was moved aside because it was damaged. */
  readonly lost: readonly string[];
}

async function read(setting: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FairleadError(storeErrors["store-file"], `cannot read the file of ${setting}`, {
      cause,
      facts: { path, because: cause instanceof Error ? cause.message : String(cause) },
    });
  }
}

async function readPassword({ passwordFile }: Settings["store"], logger: Logger): Promise<string> {
  const text = (await read("store.passwordFile", passwordFile)).toString("utf8");
  if (((await stat(passwordFile)).mode & OTHERS_MAY_READ) !== 0)
    logger.warn("other users of this host may read the password of the store", {
      path: passwordFile,
    });
  return text.replace(/\n$/, "");
}

/** Who this node is to the store: a user of etcd, or who has a token of Consul. */
async function readCredentials(
  kind: SharedStoreKind,
  store: Settings["store"],
  logger: Logger,
): Promise<{ user?: { name: string; password: string }; token?: string }> {
  if (kind === "consul")
    return store.passwordFile === "" ? {} : { token: await readPassword(store, logger) };
  if (store.user === "") return {};
  return { user: { name: store.user, password: await readPassword(store, logger) } };
}

/** What `openStore` is to be given for a store of that kind. Throws FL0410 `store-file` for a file that is missing. */
export async function describeStore(
  kind: Settings["store"]["kind"],
  settings: Settings,
  logger: Logger,
): Promise<StoreOptions> {
  const { nodeName, store } = settings;
  if (kind === "sqlite") return { kind, directory: locateNodeFiles(findPlaces(settings)).store };
  const { endpoints } = readStorePlace({ kind, endpoints: store.endpoints });
  const { prefix, caFile, certFile, keyFile } = store;
  const [ca, cert, key] = await Promise.all([
    caFile === "" ? undefined : read("store.caFile", caFile),
    certFile === "" ? undefined : read("store.certFile", certFile),
    keyFile === "" ? undefined : read("store.keyFile", keyFile),
  ]);
  return {
    kind,
    endpoints,
    prefix: prefix === "" ? `/fairlead/${nodeName}/` : prefix,
    ...(ca === undefined ? {} : { tls: { ca, ...(cert && { cert }), ...(key && { key }) } }),
    ...(await readCredentials(kind, store, logger)),
  };
}

async function openWhole(options: StoreOptions, clock: Clock): Promise<Store> {
  const store = await openStore(options, { clock });
  try {
    await checkWhole(store);
    return store;
  } catch (thrown) {
    await store[Symbol.asyncDispose]();
    throw thrown;
  }
}

/** Opens it; one that is damaged is moved aside and begun anew. Throws FL0414 for one that is half a copy. */
export async function openNodeStore(
  settings: Settings,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<OpenedStore> {
  const options = await describeStore(settings.store.kind, settings, logger);
  try {
    return { store: await openWhole(options, clock), lost: [] };
  } catch (error) {
    if (!isKind(error, storeErrors["store-corrupt"])) throw error;
    const lost = quarantineStore(options, { clock });
    logger.error("the store was damaged and is kept aside", { reason: error.message });
    return { store: await openStore(options, { clock }), lost };
  }
}
