// SPDX-License-Identifier: Apache-2.0
import { FabricError } from "@fairlead/fabric/errors.ts";
import { openTlsFiles, type TlsFiles, type TlsSource } from "@fairlead/fabric/grpc/tls-files.ts";
import { AGENT_NAME } from "@fairlead/protocol/names.ts";
import type { AgentOptions } from "./agent-options.ts";
import { Agent } from "./agent.ts";
import { findNode } from "./find-node.ts";
import { createGrpcEnvironment } from "./grpc-environment.ts";
import { openIdentity } from "./node-identity.ts";

export interface JoinOptions extends Omit<AgentOptions, "name"> {
  /** Name by which others call it; in containers that Fairlead starts, the service's by default. */
  readonly name?: string;
  /**
   * Where the node's fabric is: `unix:/path` or `host:port`. By default what FAIRLEAD_FABRIC says, which is set in
   * containers that Fairlead starts; else the socket of a node on this machine.
   */
  readonly node?: string;
  /**
   * Where peers reach this agent. By default a free port: in a container (FAIRLEAD_FABRIC is set) on all its addresses,
   * else on the loopback address. False: only through the node.
   */
  readonly listen?: { readonly host?: string; readonly port?: number } | false;
  /** Addresses to announce in place of those found. */
  readonly advertise?: readonly string[];
  /**
   * For mutual TLS with peers, and with a node at `host:port`. `node`: by the certificate that the node gives, as FAIRLEAD_TLS=node
   * says too. Or PEM files, read again when they change; by default what FAIRLEAD_TLS_CA, FAIRLEAD_TLS_CERT and FAIRLEAD_TLS_KEY
   * name, and FAIRLEAD_TLS_CRL for those that are believed no more. A certificate with the SPIFFE id `spiffe://TRUST-DOMAIN/SCOPE/NAME` proves the name as well.
   */
  readonly tls?: TlsFiles | "node";
}

function findTls(): TlsFiles | "node" | undefined {
  if (process.env["FAIRLEAD_TLS"] === "node") return "node";
  const [caFile = "", certFile = "", keyFile = ""] = ["CA", "CERT", "KEY"].map(
    (part) => process.env[`FAIRLEAD_TLS_${part}`] ?? "",
  );
  if (caFile === "" && certFile === "" && keyFile === "") return undefined;
  const crlFile = process.env["FAIRLEAD_TLS_CRL"] ?? "";
  if (caFile !== "" && certFile !== "" && keyFile !== "")
    return { caFile, certFile, keyFile, ...(crlFile === "" ? {} : { crlFile }) };
  throw new FabricError(
    "invalid_argument",
    "FAIRLEAD_TLS_CA, FAIRLEAD_TLS_CERT and FAIRLEAD_TLS_KEY belong together: set all three",
  );
}

async function openTls(tls: TlsFiles | "node", node: string): Promise<TlsSource> {
  return tls === "node" ? openIdentity({ node }) : openTlsFiles(tls);
}

/**
 * Joins the fabric of this machine's node. Rejects with `invalid_argument` for a name that is none, `unavailable` when the node
 * cannot be reached.
 */
export async function join(options: JoinOptions = {}): Promise<Agent> {
  const name = options.name ?? process.env["FAIRLEAD_NAME"] ?? "";
  if (!AGENT_NAME.test(name)) {
    throw new FabricError(
      "invalid_argument",
      `"${name}" is no name; use up to 63 of a-z, 0-9 and -, as in DNS`,
    );
  }
  const node = options.node ?? findNode();
  const inContainer = (process.env["FAIRLEAD_FABRIC"] ?? "") !== "";
  const host = inContainer ? "0.0.0.0" : "127.0.0.1";
  const scope = options.scope ?? process.env["FAIRLEAD_SCOPE"] ?? "default";
  const wanted = options.tls ?? findTls();
  const tls = wanted === undefined ? undefined : await openTls(wanted, node);
  const environment = createGrpcEnvironment({
    node,
    ...(tls === undefined ? {} : { tls }),
    listen:
      options.listen === false
        ? false
        : { host: options.listen?.host ?? host, port: options.listen?.port ?? 0 },
    ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
  });
  const route = options.route ?? process.env["FAIRLEAD_ROUTE"];
  const ticket = options.ticket ?? process.env["FAIRLEAD_TICKET"];
  return Agent.start(environment, {
    ...options,
    name,
    scope,
    ...(ticket === undefined ? {} : { ticket }),
    ...(route === undefined || route === "" ? {} : { route }),
  });
}
