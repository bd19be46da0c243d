// SPDX-License-Identifier: Apache-2.0
// Which store answers at an address, when it is not the one that the settings say: a word that was forgotten must not look
// like a store that is broken.
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { FairleadError } from "#base/errors.ts";
import { storeErrors } from "./errors.ts";

type BackendKind = "etcd" | "consul";

/** Where it is looked for, and by which certificates; without them no TLS is spoken. */
export interface BackendPlace {
  /** `host:port`, in the order in which they are asked. */
  readonly endpoints: readonly string[];
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer } | undefined;
}

const ASK_MS = 1_000;
const TEXT_MAX = 10_000;
const NAMES: Readonly<Record<BackendKind, string>> = { etcd: "etcd", consul: "Consul" };
const REMEDIES: Readonly<Record<BackendKind, string>> = {
  etcd: "say etcd of it: HOST:PORT without a word before it, `store migrate --to etcd`, store.kind: etcd; or name an address of Consul",
  consul:
    "say Consul of it: consul://HOST:PORT, `store migrate --to consul`, store.kind: consul; or name an address of etcd, which most often has the port 2379",
};
/** What each answers in its own way, and how that is told. */
const SIGNS: readonly {
  readonly kind: BackendKind;
  readonly path: string;
  readonly read: (text: string) => string | undefined;
}[] = [
  {
    kind: "etcd",
    path: "/version",
    read: (text) => /"etcdserver":\s*"([\w.+-]+)"/.exec(text)?.[1],
  },
  {
    kind: "consul",
    path: "/v1/status/leader",
    read: (text) => /^"([\w.:[\]-]*)"\s*$/.exec(text)?.[1],
  },
];

/** Its answer, if it is a good one and comes soon. */
function ask(url: string, tls: BackendPlace["tls"]): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const signal = AbortSignal.timeout(ASK_MS);
  const options = { signal, agent: false, ...tls };
  const sent = (tls === undefined ? requestHttp : requestHttps)(url, options, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (piece: string) => {
      text += piece;
      if (text.length > TEXT_MAX) response.destroy();
    });
    response.on("error", () => resolve(undefined));
    response.on("close", () => resolve(response.statusCode === 200 ? text : undefined));
  });
  sent.on("error", () => resolve(undefined));
  sent.end();
  return promise;
}

/**
 * FL0416 `store-other-kind` when what answers is known to be another store than the one that is meant; else what was thrown.
 * Asks each address for a second at most.
 */
export async function explainOther(
  meant: BackendKind,
  { endpoints, tls }: BackendPlace,
  thrown: unknown,
): Promise<unknown> {
  for (const endpoint of endpoints) {
    const base = `${tls === undefined ? "http" : "https"}://${endpoint}`;
    for (const { kind, path, read } of SIGNS) {
      if (kind === meant) continue;
      const said = read((await ask(base + path, tls)) ?? "");
      if (said === undefined) continue;
      return new FairleadError(
        storeErrors["store-other-kind"],
        `${endpoint} is ${NAMES[kind]}, not ${NAMES[meant]}`,
        {
          cause: thrown,
          facts: { endpoint, [`answers to GET ${path}`]: said === "" ? "nothing" : said },
          remedy: REMEDIES[kind],
        },
      );
    }
  }
  return thrown;
}
