// SPDX-License-Identifier: Apache-2.0
// Fairlead's DNS server in a process of its own, for `dns.ts`. Arguments: port, file of `address name` lines.
import { readFileSync } from "node:fs";
import { silentLogger } from "#base/logger.ts";
import { serveDns } from "#discovery/dns/serve-dns.ts";
import { createZone } from "#discovery/dns/zone.ts";
import { createSystemClock } from "#node/system-clock.ts";

const [port = "", file = ""] = process.argv.slice(2);
const zone = createZone();
for (const line of readFileSync(file, "utf8").trim().split("\n")) {
  const [address = "", fullName = ""] = line.split(" ");
  const [name = "", scope = ""] = fullName.split(".");
  zone.put({ scope, name, members: [{ addresses: [address], ports: [] }] });
}
// The limit of one source is for strangers: here one source asks everything.
const limits = { queriesPerSecondMax: 10_000_000 };
const listen = [{ address: "127.0.0.1", port: Number(port) }];
const parts = { clock: createSystemClock(), logger: silentLogger };
await serveDns({ zone, listen, ...limits }, parts);
process.stdout.write("listening\n");
