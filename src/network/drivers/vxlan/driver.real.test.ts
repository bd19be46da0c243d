// SPDX-License-Identifier: Apache-2.0
// The contract on the kernel's own devices, in a network namespace of the lab for each rule.
import { createNamespace } from "#lab/engine.ts";
import { openLedger } from "#lab/ledger.ts";
import { runInNamespace } from "#lab/run-program.ts";
import { overlayConformance } from "#network/overlay-conformance.ts";
import type { OverlayEntry } from "#network/overlay.ts";
import { nameDevice } from "#network/plan-overlay.ts";
import { createVxlanOverlay } from "./driver.ts";

/** An entry as a person would give it to iproute2, `add` or `del`. */
function spellEntry(
  verb: "append" | "add" | "del",
  device: string,
  { table, key, value }: OverlayEntry,
): readonly [program: string, ...args: string[]] {
  switch (table) {
    case "forward":
      return ["bridge", "fdb", verb, key, "dev", device, "dst", value, "self"];
    case "bridge":
      return ["bridge", "fdb", verb, key, "dev", device, "master"];
    case "neighbour":
      return verb === "del"
        ? ["ip", "neigh", verb, key, "dev", device]
        : ["ip", "neigh", verb, key, "lladdr", value, "dev", device, "nud", "permanent"];
  }
}

overlayConformance("vxlan", () => {
  const ledger = openLedger();
  const name = `${ledger.tag}-ov`;
  createNamespace(ledger, name);
  const run = (program: string, ...args: string[]): string => runInNamespace(name, program, args);
  run("ip", "link", "add", "tun-a", "type", "veth", "peer", "name", "tun-b");
  for (const bridge of ["br-a", "br-b"]) {
    run("ip", "link", "add", bridge, "type", "bridge");
    run("ip", "link", "set", bridge, "up");
  }
  const netns = `/run/netns/${name}`;
  const overlay = createVxlanOverlay({ netns });
  return Promise.resolve({
    overlay,
    reopen: () => createVxlanOverlay({ netns }),
    dropEntry: (device, entry) => void run(...spellEntry("del", device, entry)),
    addEntry: (device, entry) =>
      void run(...spellEntry(entry.table === "forward" ? "append" : "add", device, entry)),
    removeDevice: (device) => void run("ip", "link", "del", device),
    addForeign(vni) {
      const device = nameDevice(vni);
      run("ip", "link", "add", device, "type", "vxlan", "id", String(vni), "dstport", "4789");
      run("ip", "link", "set", device, "alias", "somebody's");
    },
    hasDevice: (device) => run("ip", "-br", "link").includes(device),
    async [Symbol.asyncDispose]() {
      await overlay[Symbol.asyncDispose]();
      ledger.clear();
    },
  });
});
