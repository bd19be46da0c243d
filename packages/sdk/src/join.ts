// SPDX-License-Identifier: Apache-2.0
import { dirname } from "node:path";
import { AGENT_NAME } from "@fairlead/protocol/names.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import { Agent } from "./agent.ts";
import type { TlsFiles } from "@fairlead/fabric/grpc/tls-files.ts";
import type { AgentOptions } from "./agent-options.ts";
import { createGrpcEnvironment } from "./grpc-environment.ts";

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
   * PEM files for mutual TLS with peers, and with a node at `host:port`; read again when they change. By default
   * what FAIRLEAD_TLS_CA, FAIRLEAD_TLS_CERT and FAIRLEAD_TLS_KEY name. A certificate with the SPIFFE id
   * `spiffe://TRUST-DOMAIN/SCOPE/NAME` proves the name as well.
   */
  readonly tls?: TlsFiles;
}

const DEFAULT_SOCKET = "/run/fairlead/fairlead.sock";

function findTlsFiles(): TlsFiles | undefined {
  const [caFile = "", certFile = "", keyFile = ""] = ["CA", "CERT", "KEY"].map(
    (part) => process.env[`FAIRLEAD_TLS_${part}`] ?? "",
  );
  if (caFile === "" && certFile === "" && keyFile === "") return undefined;
  if (caFile !== "" && certFile !== "" && keyFile !== "") return { caFile, certFile, keyFile };
  throw new FabricError(
    "invalid_argument",
    "FAIRLEAD_TLS_CA, FAIRLEAD_TLS_CERT and FAIRLEAD_TLS_KEY belong together: set all three",
  );
}

/** The fabric's socket lies below the API's directory. */
function findNode(): string {
  const named = process.env["FAIRLEAD_FABRIC"];
  if (named !== undefined && named !== "") return named;
  const api = process.env["FAIRLEAD_SOCKET"] ?? DEFAULT_SOCKET;
  return `unix:${dirname(api)}/fabric/fabric.sock`;
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
  const tls = options.tls ?? findTlsFiles();
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
