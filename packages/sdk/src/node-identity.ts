// SPDX-License-Identifier: Apache-2.0
// Who this program is, as its node says: a certificate that the node gives over its socket, and another one before that ends.
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { ClientHttp2Session } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { beginCall, watchEnd } from "@fairlead/fabric/grpc/client-call.ts";
import { Deframer } from "@fairlead/fabric/grpc/deframer.ts";
import { readRevokedSerials } from "@fairlead/fabric/grpc/der.ts";
import { openSession } from "@fairlead/fabric/grpc/dial.ts";
import { frameMessage } from "@fairlead/fabric/grpc/gzip.ts";
import type { TlsMaterial, TlsSource } from "@fairlead/fabric/grpc/tls-files.ts";
import { WORKLOAD_HEADER, WORKLOAD_METHOD } from "@fairlead/fabric/grpc/workload-api.ts";
import { decodeSvidResponse, renderPem } from "@fairlead/fabric/grpc/workload-codec.ts";
import { findNode } from "./find-node.ts";

/** What proves who a program is. PEM. */
export interface IdentityMaterial extends TlsMaterial {
  /** `spiffe://harbour/shop/web` */
  readonly uri: string;
  /** Until when the certificate is good, milliseconds since 1970. */
  readonly notAfterMs: number;
}

/** Lasts until disposed of: `read` before each connection, or follow `onChange`. */
export interface NodeIdentity extends TlsSource {
  read(): IdentityMaterial;
  onChange(listener: (material: IdentityMaterial) => void): () => void;
}

export interface IdentityOptions {
  /** `unix:/path` of the node's socket; by default what FAIRLEAD_FABRIC says. */
  readonly node?: string;
  /** How long to wait for the first certificate; 10 s by default. */
  readonly timeoutMs?: number;
}

const PAUSE_MS = { first: 100, last: 5_000 } as const;
const ANSWER_BYTES_MAX = 1_048_576;

function toMaterial(bytes: Buffer): IdentityMaterial {
  const { uri, certificates, key, authorities, revoked } = decodeSvidResponse(bytes);
  const [own] = certificates;
  const pem = (ders: readonly Uint8Array[]): Buffer =>
    Buffer.from(ders.map((der) => renderPem(der, "CERTIFICATE")).join(""));
  const certificate = new X509Certificate(own ?? Buffer.alloc(0));
  const privateKey = renderPem(key, "PRIVATE KEY");
  if (!certificate.checkPrivateKey(createPrivateKey(privateKey)))
    throw new FabricError("invalid_argument", "the node gave a key of another certificate");
  return {
    uri,
    ca: pem(authorities),
    cert: pem(certificates),
    key: Buffer.from(privateKey),
    revoked: new Set(revoked.flatMap((list) => readRevokedSerials(Buffer.from(list)))),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

/** Asks once; resolves when the node ends the answer or is lost. Rejects when it cannot be reached. */
async function follow(
  address: string,
  give: (material: IdentityMaterial) => void,
  opened: (session: ClientHttp2Session) => void,
): Promise<FabricError | undefined> {
  const { session } = await openSession({ address });
  // How it ended is the stream's to tell; without a listener a node that gives the session up would end the program.
  session.on("error", () => undefined);
  opened(session);
  const stream = beginCall(session, WORKLOAD_METHOD.svid, { [WORKLOAD_HEADER]: "true" });
  stream.end(frameMessage(Buffer.alloc(0)));
  const deframer = new Deframer(ANSWER_BYTES_MAX, (message) => give(toMaterial(message)));
  stream.on("data", (chunk: Buffer) => {
    try {
      deframer.push(chunk);
    } catch (thrown) {
      stream.destroy(FabricError.from(thrown));
    }
  });
  const end = await new Promise<FabricError | undefined>((resolve) =>
    watchEnd(stream, address, ({ error }) => resolve(error)),
  );
  session.destroy();
  return end;
}

/**
 * Asks the node who this program is. Rejects with `permission_denied` where the node knows no identity for it, `unavailable` when
 * the node does not answer in time, and `invalid_argument` for an address that is no unix socket: only by that is it known who asks.
 */
export async function openIdentity(options: IdentityOptions = {}): Promise<NodeIdentity> {
  const { node = findNode(), timeoutMs = 10_000 } = options;
  if (!node.startsWith("unix:"))
    throw new FabricError(
      "invalid_argument",
      `who asks at ${node} is not known; name a unix: socket`,
    );
  const listeners = new Set<(material: IdentityMaterial) => void>();
  const first = Promise.withResolvers<IdentityMaterial>();
  const stopping = new AbortController();
  let session: ClientHttp2Session | undefined;
  let material: IdentityMaterial | undefined;
  let problem = "";

  const give = (next: IdentityMaterial): void => {
    material = next;
    first.resolve(next);
    // Who waits for nothing else may end.
    session?.unref();
    for (const listener of listeners) listener(next);
  };
  const keep = async (): Promise<void> => {
    let pauseMs: number = PAUSE_MS.first;
    while (!stopping.signal.aborted) {
      const error = await follow(node, give, (opened) => {
        session = opened;
        if (material !== undefined) pauseMs = PAUSE_MS.first;
        if (stopping.signal.aborted) opened.destroy();
      }).catch((thrown: unknown) => FabricError.from(thrown));
      if (error?.code === "permission_denied") first.reject(error);
      problem = error?.message ?? problem;
      const ref = material === undefined;
      await sleep(pauseMs, undefined, { signal: stopping.signal, ref }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS.last);
    }
  };
  const stop = (): void => {
    stopping.abort();
    session?.destroy();
  };
  const timer = setTimeout(
    () =>
      first.reject(
        new FabricError(
          "unavailable",
          [`no identity from ${node} within ${timeoutMs} ms`, problem].filter(Boolean).join(": "),
        ),
      ),
    timeoutMs,
  );
  void keep();
  try {
    material = await first.promise;
  } catch (thrown) {
    stop();
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
  const current = material;
  return {
    read: () => material ?? current,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    [Symbol.dispose]: stop,
  };
}
