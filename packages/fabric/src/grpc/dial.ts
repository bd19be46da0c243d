// SPDX-License-Identifier: Apache-2.0
// Dials a peer: one HTTP/2 connection, one gRPC stream on it.
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import {
  checkServerIdentity,
  connect as connectTls,
  TLSSocket,
  type PeerCertificate,
} from "node:tls";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import { readSpiffeId } from "@fairlead/protocol/spiffe.ts";
import { isLocalAddress } from "./address.ts";
import { beginCall, watchEnd } from "./client-call.ts";
import { createGrpcTransport } from "./grpc-transport.ts";
import { judgePeer } from "./judge-peer.ts";
import { SETTINGS, watchSession } from "./session-options.ts";
import type { TlsMaterial, TlsSource } from "./tls-files.ts";

const LINK_PATH = "/fairlead.fabric.v1.Fabric/Link";

export interface DialOptions {
  /** `host:port`, `[v6]:port` or `unix:/path`. */
  readonly address: string;
  readonly timeoutMs?: number;
  /** How long a peer may be silent before it is asked, and then before it is given up; 5 s by default. */
  readonly keepaliveMs?: number;
  /** Mutual TLS when given. */
  readonly tls?: TlsMaterial;
  /** Tells when something else is in force: a peer that is believed no more is cut off then. */
  readonly follow?: TlsSource["onChange"];
}

/** Whoever has a SPIFFE id is held to it by its Hello; others have to be who the address names. */
function checkServer(host: string, certificate: PeerCertificate): Error | undefined {
  const isNamed = readSpiffeId(certificate.subjectaltname) !== undefined;
  return isNamed ? undefined : checkServerIdentity(host, certificate);
}

function readPeerId(socket: unknown): string | undefined {
  return socket instanceof TLSSocket
    ? readSpiffeId(socket.getPeerCertificate().subjectaltname)
    : undefined;
}

function openSocket(options: DialOptions) {
  const { address, tls } = options;
  if (address.startsWith("unix:")) return connectTcp({ path: address.slice("unix:".length) });
  const cut = address.lastIndexOf(":");
  const host = address.slice(0, cut).replace(/^\[(.*)\]$/, "$1");
  const port = Number(address.slice(cut + 1));
  if (cut < 1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new FabricError("invalid_argument", `"${address}" is no address; write host:port`);
  const socket =
    tls === undefined
      ? connectTcp({ host, port })
      : connectTls({
          host,
          port,
          ...tls,
          minVersion: "TLSv1.3",
          ALPNProtocols: ["h2"],
          checkServerIdentity: (_, certificate) => checkServer(host, certificate),
        });
  return socket.setNoDelay(true);
}

interface Opened {
  readonly session: ClientHttp2Session;
  readonly socket: Socket;
  readonly peerId: string | undefined;
}

/** Connects. Throws `unavailable` when the peer cannot be reached in time. */
export function openSession(options: DialOptions): Promise<Opened> {
  const { address, timeoutMs = 5_000 } = options;
  return new Promise((resolve, reject) => {
    const socket = openSocket(options);
    const session = connectHttp2(options.tls === undefined ? "http://fabric" : "https://fabric", {
      createConnection: () => socket,
      settings: SETTINGS,
    });
    const fail = (cause: unknown): void => {
      clearTimeout(timer);
      session.destroy();
      socket.destroy();
      const why = cause instanceof Error ? cause.message : String(cause);
      reject(new FabricError("unavailable", `cannot reach ${address}: ${why}`, { cause }));
    };
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const onClose = (): void => fail(new Error("the peer ended the connection"));
    session.once("error", fail);
    session.once("close", onClose);
    session.once("remoteSettings", () => {
      const refused = judgePeer(socket, options.tls ?? {});
      if (refused !== undefined) return fail(refused);
      clearTimeout(timer);
      session.off("error", fail);
      session.off("close", onClose);
      resolve({ session, socket, peerId: readPeerId(socket) });
    });
  });
}

/** Connects and opens a stream for a link. Throws `unavailable` when the peer cannot be reached in time. */
export async function dial(options: DialOptions): Promise<Transport> {
  const { session, socket, peerId } = await openSession(options);
  let failure: FabricError | undefined;
  const onError = (cause: Error): void => {
    failure ??= new FabricError("unavailable", `lost ${options.address}: ${cause.message}`, {
      cause,
    });
  };
  watchSession(session, options.keepaliveMs, onError);
  session.on("error", onError);
  const stop = options.follow?.((material) => {
    const refused = judgePeer(socket, material);
    if (refused !== undefined) session.destroy(refused);
  });
  const stream = beginCall(session, LINK_PATH);
  const transport = createGrpcTransport({
    stream,
    peerAddress: options.address,
    peerId,
    local: isLocalAddress(options.address),
    onClose: () => stream.end(),
    onDestroy: () => session.destroy(),
  });
  watchEnd(stream, options.address, ({ error }) => {
    // A connection that breaks resets its streams as if they had been called off. A link is not called off: it is lost.
    const isReset = error?.code === "canceled";
    const lost = new FabricError("unavailable", `lost ${options.address}`, { cause: error });
    transport.end(failure ?? (isReset ? lost : error));
    stop?.();
    // Nothing more comes, and nobody reads what would be sent.
    stream.end();
    session.close();
  });
  return transport;
}
