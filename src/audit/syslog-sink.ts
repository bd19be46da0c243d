// SPDX-License-Identifier: Apache-2.0
// Lines as messages of syslog (RFC 5424), facility "log audit": by UDP one a datagram (RFC 5426), by TCP with their length
// before them (RFC 6587).
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIPv6, connect, type Socket } from "node:net";
import { decodeLine } from "./line.ts";
import type { AuditSink } from "./sink.ts";

/** A syslog: `udp://HOST:PORT` or `tcp://HOST:PORT`. */
export interface SyslogPlace {
  readonly protocol: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
}

const FACILITY = 13;
const NOTICE = 5;
const WARNING = 4;
const ANSWER_MS = 5_000;

/** One line as a message; `host` is the node's name. */
function encodeSyslog(line: Buffer, host: string): Buffer {
  const text = line.subarray(0, -1);
  const entry = decodeLine(text);
  const isBad = entry === undefined || entry.kind === "refused" || entry.kind === "audit";
  const priority = FACILITY * 8 + (isBad ? WARNING : NOTICE);
  const time = entry === undefined ? "-" : new Date(entry.atMs).toISOString();
  const head = `<${priority}>1 ${time} ${host} fairlead ${process.pid} ${entry?.kind ?? "-"} - `;
  return Buffer.concat([Buffer.from(head), text]);
}

function send(socket: UdpSocket, bytes: Buffer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.send(bytes, port, host, (error) => (error === null ? resolve() : reject(error))),
  );
}

function createUdpSink({ host, port }: SyslogPlace, node: string, name: string): AuditSink {
  let open: { readonly socket: UdpSocket; readonly address: string } | undefined;
  async function dial() {
    const { address } = await lookup(host);
    const socket = createSocket(isIPv6(address) ? "udp6" : "udp4").unref();
    socket.on("error", () => undefined);
    return { socket, address };
  }
  return {
    name,
    async write(lines) {
      const { socket, address } = (open ??= await dial());
      for (const line of lines) await send(socket, encodeSyslog(line, node), port, address);
    },
    close: () => Promise.resolve(void open?.socket.close()),
  };
}

function dialTcp({ host, port }: SyslogPlace): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const late = setTimeout(() => socket.destroy(new Error("it does not answer")), ANSWER_MS);
    socket.once("connect", () => {
      clearTimeout(late);
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(late);
      reject(error);
    });
    // A syslog says nothing: that it is gone is learned by reading.
    socket.resume().unref();
  });
}

function createTcpSink(place: SyslogPlace, node: string, name: string): AuditSink {
  let open: Socket | undefined;
  function drop(): void {
    open?.destroy();
    open = undefined;
  }
  return {
    name,
    async write(lines) {
      if (open === undefined) {
        const socket = await dialTcp(place);
        open = socket;
        socket.on("error", () => undefined);
        for (const event of ["end", "close"])
          socket.once(event, () => (open === socket ? drop() : undefined));
      }
      const socket = open;
      const bytes = lines.flatMap((line) => {
        const message = encodeSyslog(line, node);
        return [Buffer.from(`${message.length} `), message];
      });
      await new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => socket.destroy(new Error("it takes nothing")), ANSWER_MS);
        socket.write(Buffer.concat(bytes), (error) => {
          clearTimeout(late);
          if (error === null || error === undefined) return resolve();
          drop();
          reject(error);
        });
      });
    },
    close: () => Promise.resolve(drop()),
  };
}

/** Opens nothing before the first line. `node` is this node's name. */
export function createSyslogSink(place: SyslogPlace, node: string): AuditSink {
  const name = `the syslog at ${place.protocol}://${place.host}:${place.port}`;
  return (place.protocol === "udp" ? createUdpSink : createTcpSink)(place, node, name);
}
