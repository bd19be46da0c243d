// SPDX-License-Identifier: Apache-2.0
// The address after # holds the whole view, so that a link shows what its sender saw.
import { useSyncExternalStore } from "react";

export interface Route {
  /** `["services", "shop", "worker"]`; empty for Now. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** `#/services/shop/worker?q=…` as parts. */
export function parseHash(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "");
  return { path: parts.map(decodePart), query: new URLSearchParams(query) };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a view. */
export function writeHash(path: readonly string[], query?: URLSearchParams): string {
  const text = query?.toString() ?? "";
  return `#/${path.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

/** The hash of the address, as it changes. */
export function useHash(): string {
  return useSyncExternalStore(subscribe, () => location.hash);
}

/** Changes the query of the view without a step in the history. */
export function replaceQuery(route: Route, name: string, value: string): void {
  const query = new URLSearchParams(route.query);
  if (value === "") query.delete(name);
  else query.set(name, value);
  history.replaceState(undefined, "", writeHash(route.path, query));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}
