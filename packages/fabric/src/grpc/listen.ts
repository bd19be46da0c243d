// SPDX-License-Identifier: Apache-2.0
// Listens for peers: gRPC over HTTP/2 with the methods it is given; a link's is one of them.
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Transport } from "@fairlead/fabric/transport.ts";
import { readSpiffeId } from "@fairlead/protocol/spiffe.ts";
import { isLocalAddress } from "./address.ts";
import { writeGrpcStatus } from "./grpc-status.ts";
import { createGrpcTransport } from "./grpc-transport.ts";
import { judgePeer } from "./judge-peer.ts";
import type { GrpcMethod } from "./server-call.ts";
import { SETTINGS, watchSession } from "./session-options.ts";
import type { TlsSource } from "./tls-files.ts";

const LINK_PATH = "/fairlead.fabric.v1.Fabric/Link";
/** So long a connection may take to send what was written, and to end what is on it, when nobody listens any more. */
const PARTING_MS = 200;

export interface ListenOptions {
  /** `{ path }` for a unix socket; port 0 takes a free one. */
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly onTransport: (transport: Transport) => void;
  /** Further methods by path, e.g. `/grpc.health.v1.Health/Check`. */
  readonly methods?: ReadonlyMap<string, GrpcMethod>;
  /** How long a peer may be silent before it is asked, and then before it is given up; 5 s by default. */
  readonly keepaliveMs?: number;
  /** Mutual TLS when given; new connections use what is in force then, and who is believed no more is cut off. */
  readonly tls?: TlsSource;
}

export interface Listener extends AsyncDisposable {
  /** `127.0.0.1:40312` or `unix:/path`. */
  readonly address: string;
}

/** Ends a stream with a gRPC status and no message. */
function refuseStream(stream: ServerHttp2Stream, error: FabricError): void {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond(
    {
      ":status": 200,
      "content-type": "application/grpc+proto",
      ...writeGrpcStatus(error),
    },
    { endStream: true },
  );
}

function readPeerId(socket: unknown): string | undefined {
  return socket instanceof TLSSocket
    ? readSpiffeId(socket.getPeerCertificate().subjectaltname)
    : undefined;
}

function createHttp2Server(tls: TlsSource | undefined): Http2Server | Http2SecureServer {
  if (tls === undefined) return createServer({ settings: SETTINGS });
  const server = createSecureServer({
    settings: SETTINGS,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    ...tls.read(),
  });
  tls.onChange((material) => server.setSecureContext({ minVersion: "TLSv1.3", ...material }));
  return server;
}

function acceptLink(stream: ServerHttp2Stream, onTransport: (transport: Transport) => void): void {
  const socket = stream.session?.socket;
  const { remoteAddress, remotePort } = socket ?? {};
  const peerAddress = remoteAddress === undefined ? "unix:" : `${remoteAddress}:${remotePort ?? 0}`;
  let failure: FabricError | undefined;
  let trailer = writeGrpcStatus(undefined);
  const transport = createGrpcTransport({
    stream,
    peerAddress,
    peerId: readPeerId(socket),
    local: isLocalAddress(peerAddress),
    onClose: () => stream.end(),
    onDestroy(error) {
      trailer = writeGrpcStatus(error);
      // What the peer is told has to leave before the stream is closed; a peer that does not read is cut off.
      stream.end();
      const session = stream.session;
      setTimeout(() => session?.destroy(), 200).unref();
    },
  });
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers(trailer));
  stream.on("end", () => {
    transport.end(undefined);
    stream.end();
  });
  stream.on("error", (cause: Error) => {
    failure ??= new FabricError("unavailable", `lost ${peerAddress}: ${cause.message}`, { cause });
  });
  stream.on("aborted", () => {
    failure ??= new FabricError("unavailable", `lost ${peerAddress}`);
  });
  stream.on("close", () => transport.end(failure));
  onTransport(transport);
}

/** Starts to listen. Rejects with what the system says, e.g. that the port is taken. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const sessions = new Set<Http2Session>();
  const server = createHttp2Server(options.tls);
  const { tls } = options;
  const cutOff = (session: Http2Session): void => {
    if (tls !== undefined && judgePeer(session.socket, tls.read()) !== undefined) session.destroy();
  };
  const stop = tls?.onChange(() => sessions.forEach(cutOff));
  server.on("session", (session: Http2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    session.on("error", () => session.destroy());
    watchSession(session, options.keepaliveMs);
    cutOff(session);
  });
  server.on("connection", (socket: { setNoDelay?: (on: boolean) => void }) =>
    socket.setNoDelay?.(true),
  );
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => undefined);
    const path = String(headers[":path"]);
    const method = options.methods?.get(path);
    const type = String(headers["content-type"] ?? "");
    if (headers[":method"] !== "POST" || !type.startsWith("application/grpc"))
      stream.respond({ ":status": 415 }, { endStream: true });
    else if (path === LINK_PATH) acceptLink(stream, options.onTransport);
    else if (method !== undefined) method(stream, headers);
    else refuseStream(stream, new FabricError("unimplemented", `there is no method ${path}`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.at, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo | string;
  return {
    address: typeof bound === "string" ? `unix:${bound}` : formatAddress(bound),
    async [Symbol.asyncDispose]() {
      stop?.();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // What was written last, such as whom it refuses, has to leave yet; a link that nobody has ended is cut off.
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, PARTING_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

function formatAddress({ address, port }: AddressInfo): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
