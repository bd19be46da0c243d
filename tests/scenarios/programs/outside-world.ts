// SPDX-License-Identifier: Apache-2.0
// The world outside of a host: a name server, and servers that say hello and go on listening.
// `outside-world.ts ADDRESS ZONE`: the zone as JSON, `{ "a.example": [[60, "198.51.100.1"], [0, "b.example"]] }`.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { isIP } from "node:net";
import { encodeAddress, encodeName } from "#discovery/dns/wire.ts";

const [, , address = "", text = "{}"] = process.argv;
const zone = JSON.parse(text) as Readonly<Record<string, readonly (readonly [number, string])[]>>;
const TYPES = { 0: 5, 4: 1, 6: 28 } as const;
const HELLO_PORT = 7000;

function encode(name: string): Buffer {
  return Buffer.from(encodeName(name), "latin1");
}

/** Records of a name and of those it leads to; only the type that was asked for. */
function collect(name: string, type: number): Buffer[] {
  return (zone[name] ?? []).flatMap(([ttl, data]) => {
    const family = isIP(data) as keyof typeof TYPES;
    if (family !== 0 && TYPES[family] !== type) return [];
    const content = family === 0 ? encode(data) : encodeAddress(data);
    const head = Buffer.alloc(10);
    head.writeUInt16BE(TYPES[family], 0);
    head.writeUInt16BE(1, 2);
    head.writeUInt32BE(ttl, 4);
    head.writeUInt16BE(content.length, 8);
    const own = Buffer.concat([encode(name), head, content]);
    return family === 0 ? [own, ...collect(data, type)] : [own];
  });
}

function readName(bytes: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; (bytes[at] ?? 0) > 0; at += (bytes[at] ?? 0) + 1)
    labels.push(bytes.toString("latin1", at + 1, at + 1 + (bytes[at] ?? 0)));
  return labels.join(".").toLowerCase();
}

const dns = createSocket("udp4");
dns.on("message", (bytes, { port, address: source }) => {
  const name = readName(bytes);
  process.stdout.write(`${name}\n`);
  const end = bytes.indexOf(0, 12) + 5;
  const records = collect(name, bytes.readUInt16BE(end - 4));
  const head = Buffer.from(bytes.subarray(0, 12));
  head.writeUInt16BE(0x8180 | (name in zone ? 0 : 3), 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  dns.send(Buffer.concat([head, bytes.subarray(12, end), ...records]), port, source);
});
dns.bind(53, address, () => {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => socket.write(data));
    socket.write("hello\n");
  });
  server.listen(HELLO_PORT, "::", () => process.stdout.write("ready\n"));
});
