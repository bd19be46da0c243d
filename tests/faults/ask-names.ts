// SPDX-License-Identifier: Apache-2.0
// Questions to the name servers of nodes, one after the other, and what they say: where a service is, and that its name is there.
import { createSocket, type Socket } from "node:dgram";
import { decodeAnswer, encodeQuestion, type Decoded } from "#discovery/testing/ask-dns.ts";

/** Where a node answers DNS. */
export interface NameServer {
  readonly host: string;
  readonly address: string;
  readonly port: number;
}

/** What one said; times are the wall clock's, in milliseconds. */
export interface NameAnswer {
  readonly service: string;
  /** The host that was asked. */
  readonly asked: string;
  /** SRV asks where it is, A whether the name is there. */
  readonly type: "SRV" | "A";
  readonly atMs: number;
  /** `NOERROR`, `NXDOMAIN`, …; `none`: no answer in time. */
  readonly code: string;
  /** Addresses that were named. */
  readonly addresses: readonly string[];
}

const ANSWER_MS = 1_000;
const SIZE_BYTES = 1_232;
const IDS = 65_536;

export interface NameAsker {
  /** Asks one of the servers for one of the services; the next time another. Nothing where there is no server. */
  ask(
    servers: readonly NameServer[],
    scope: string,
    services: readonly string[],
  ): Promise<NameAnswer | undefined>;
}

const nowMs = (): number => performance.timeOrigin + performance.now();

/** Addresses in an answer and beside it. */
function listAddresses({ answers = [], additionals = [] }: Decoded): readonly string[] {
  return [...answers, ...additionals].flatMap((record) => (record.type === "A" ? record.data : []));
}

/** Asks for a service's port 8080 and for its name, in turn. */
export function createNameAsker(): NameAsker {
  const socket: Socket = createSocket("udp4");
  const waiting = new Map<number, (bytes: Buffer | undefined) => void>();
  socket.on("message", (bytes) => waiting.get(bytes.readUInt16BE(0))?.(bytes));
  socket.on("error", () => undefined);
  let turn = 0;

  function send(question: Buffer, { address, port }: NameServer): Promise<Buffer | undefined> {
    const id = question.readUInt16BE(0);
    return new Promise((resolve) => {
      const end = (bytes: Buffer | undefined): void => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(bytes);
      };
      const timer = setTimeout(end, ANSWER_MS, undefined);
      waiting.set(id, end);
      socket.send(question, port, address);
    });
  }

  return {
    async ask(servers, scope, services) {
      const round = Math.floor(++turn / Math.max(1, servers.length));
      const server = servers[turn % Math.max(1, servers.length)];
      const service = services[round % services.length];
      if (server === undefined || service === undefined) return undefined;
      const type = Math.floor(round / services.length) % 2 === 0 ? "SRV" : "A";
      const name = `${service}.${scope}.fairlead.internal`;
      const question = encodeQuestion(type === "SRV" ? `_8080._tcp.${name}` : name, {
        type,
        id: turn % IDS,
        edns: SIZE_BYTES,
      });
      const bytes = await send(question, server);
      const found = { service, asked: server.host, type, atMs: nowMs() } as const;
      if (bytes === undefined) return { ...found, code: "none", addresses: [] };
      const decoded = decodeAnswer(bytes);
      return { ...found, code: decoded.rcode, addresses: listAddresses(decoded) };
    },
  };
}
