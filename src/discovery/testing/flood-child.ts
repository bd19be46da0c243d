// SPDX-License-Identifier: Apache-2.0
// Sends datagrams with a wrong key to a group until its standard input ends: some 20,000 a second, or as many more as
// FAIRLEAD_FLOOD_ROUND says. Prints how many a second it sent. Arguments: group, port.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createSealer } from "#datagram/seal.ts";
import { DISCOVERY, encodeDatagram } from "#discovery/multicast/datagram.ts";

/** In one go. With 200 the kernel drops most of what honest ones send to a process that has to wait for a core. */
const ROUND = Number(process.env["FAIRLEAD_FLOOD_ROUND"] ?? 40);
const [group = "", port = ""] = process.argv.slice(2);
const socket = createSocket("udp4");
// Another source than the honest ones: its rate is not theirs.
socket.bind(0, "127.0.0.2");
await once(socket, "listening");
socket.setMulticastInterface("127.0.0.1");
const sealer = createSealer(Buffer.alloc(32, 9), DISCOVERY);
let open = true;
let sent = 0;
const beganMs = performance.now();
process.stdin.on("end", () => (open = false)).resume();
for (let sequence = 1; open; sequence++) {
  const header = { sender: "evil", incarnation: 1, sequence, stampMs: Date.now() };
  const bytes = sealer.seal(encodeDatagram(header, { kind: "leave" }));
  for (let i = 0; i < ROUND; i++) socket.send(bytes, Number(port), group, () => sent++);
  await new Promise((resolve) => setTimeout(resolve, 2));
}
socket.close();
process.stdout.write(`${Math.round((sent * 1_000) / (performance.now() - beganMs))}\n`);
