// SPDX-License-Identifier: Apache-2.0
// A stranger who shows a node whatever certificates it likes, also such as no library would make or take by itself.
import { once } from "node:events";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { FairleadError } from "#base/errors.ts";
import type { Peering } from "#peering/peering.ts";

/** What is shown. PEM. */
export interface Shown {
  /** The stranger's own first. */
  readonly chain: readonly string[];
  readonly key: string;
}

const ADDRESS = "127.0.0.1";
/** Weak keys and digests are no hindrance for this end. */
const WEAK = "DEFAULT:@SECLEVEL=0";

/** Why a node does not believe what it is shown. */
export interface Disbelief {
  /** Of the error. */
  readonly slug: string;
  /** `CERT_HAS_EXPIRED: …` where the handshake found it. */
  readonly reason: string;
}

function describe(thrown: unknown): Disbelief {
  const { kind, message, cause } = FairleadError.from(thrown);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return { slug: kind.slug, reason: code === "" ? message : `${code}: ${message}` };
}

/** The node asks who shows this. Undefined when it believes it; else why not. */
export async function showWhenAsked(
  peering: Pick<Peering, "ask">,
  id: string,
  { chain, key }: Shown,
): Promise<Disbelief | undefined> {
  const server = createServer({ cert: chain.join(""), key, ciphers: WEAK }, (_, response) =>
    response.end("{}"),
  );
  server.on("tlsClientError", () => undefined).listen(0, ADDRESS);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  try {
    await peering.ask({ id, address: ADDRESS, port }, "/");
    return undefined;
  } catch (thrown) {
    return describe(thrown);
  } finally {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }
}

/** Who shows this asks the node for a path. Undefined when it is answered with 200; else how that ended. */
export async function showWhenAsking(
  { port }: Pick<Peering, "port">,
  path: string,
  { chain, key }: Shown,
): Promise<string | undefined> {
  const own = { cert: chain.join(""), key, ciphers: WEAK, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    try {
      const sent = request({ ...own, host: ADDRESS, port, path, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode === 200 ? undefined : `was told ${response.statusCode}`);
      });
      sent.on("error", ({ message }) => resolve(message)).end();
    } catch (thrown) {
      // What this end cannot even load is shown to nobody.
      reject(thrown as Error);
    }
  });
}
