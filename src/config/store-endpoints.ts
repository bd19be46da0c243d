// SPDX-License-Identifier: Apache-2.0
// Addresses of a store that several nodes share, and which kind of store is there: `consul://a:8500,b:8500`. Without a word
// before it an address is of etcd.
import { baseErrors, FairleadError } from "#base/errors.ts";

/** Kinds of store that a fleet can have. */
export type SharedStoreKind = "etcd" | "consul";

/** Where it is. */
export interface StorePlace {
  readonly kind: SharedStoreKind;
  /** `host:port`, at least one. */
  readonly endpoints: readonly string[];
}

interface Named {
  readonly kind: SharedStoreKind | undefined;
  readonly endpoint: string;
}

function parseOne(text: string): Named | undefined {
  const [, scheme, endpoint = ""] = /^(?:([a-z]+):\/\/)?([^/\s]+:\d{1,5})$/.exec(text) ?? [];
  if (endpoint === "") return undefined;
  if (scheme === undefined || scheme === "etcd" || scheme === "consul")
    return { kind: scheme, endpoint };
  return undefined;
}

/** Reads them; `otherwise` is what they are where they do not say. Undefined for what is none, or for two kinds in one. */
export function parseStoreEndpoints(
  text: string,
  otherwise: SharedStoreKind = "etcd",
): StorePlace | undefined {
  const all = text.split(",").map(parseOne);
  const named = all.filter((one) => one !== undefined);
  const kinds = new Set(named.flatMap(({ kind }) => kind ?? []));
  if (named.length < all.length || kinds.size > 1) return undefined;
  const [kind = otherwise] = kinds;
  return { kind, endpoints: named.map(({ endpoint }) => endpoint) };
}

/** How addresses are written, with what was probably meant by those that are not so: `http://a:2379` is `a:2379` of an etcd. */
export function explainStoreEndpoints(text: string): string {
  const rule = "has to be HOST:PORT, or consul://HOST:PORT, with commas between";
  const bare = text.replaceAll(/https?:\/\/|\/+(?=,|$)/g, "");
  const isMeant = bare !== text && parseStoreEndpoints(bare)?.kind === "etcd";
  return isMeant ? `${rule}: ${bare} for etcd, consul://${bare} for Consul` : rule;
}

/** Writes one address as `parseStoreEndpoints` reads it: etcd's as they always were. */
export function renderStoreEndpoints({ kind, endpoints }: StorePlace): readonly string[] {
  return endpoints.map((endpoint) => (kind === "etcd" ? endpoint : `${kind}://${endpoint}`));
}

/** The store that settings name. Throws FL0101 when store.kind and store.endpoints name two kinds. */
export function readStorePlace(store: {
  readonly kind: "sqlite" | SharedStoreKind;
  readonly endpoints: string;
}): StorePlace {
  const own = store.kind === "sqlite" ? undefined : store.kind;
  const place = parseStoreEndpoints(store.endpoints, own);
  if (place !== undefined && (own === undefined || place.kind === own)) return place;
  throw new FairleadError(
    baseErrors["invalid-argument"],
    `store.kind is ${store.kind}, and store.endpoints are of ${place?.kind ?? "no store"}`,
    {
      facts: { "store.endpoints": store.endpoints },
      remedy: "say consul://HOST:PORT in store.endpoints for Consul, HOST:PORT for etcd",
    },
  );
}
