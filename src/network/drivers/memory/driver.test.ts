// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { overlayConformance } from "#network/overlay-conformance.ts";
import { nameDevice } from "#network/plan-overlay.ts";
import { createMemoryHost } from "./driver.ts";

overlayConformance("memory", () => {
  const { overlay, devices, foreign } = createMemoryHost(["br-a", "br-b"]);
  const find = (device: string) => {
    const fact = devices.get(device);
    assert.ok(fact !== undefined);
    return fact;
  };
  return Promise.resolve({
    overlay,
    reopen: () => overlay,
    dropEntry(device, { key, table }) {
      const fact = find(device);
      devices.set(device, {
        ...fact,
        entries: fact.entries.filter((one) => one.key !== key || one.table !== table),
      });
    },
    addEntry(device, entry) {
      const fact = find(device);
      devices.set(device, { ...fact, entries: [...fact.entries, entry] });
    },
    removeDevice: (device) => void devices.delete(device),
    addForeign: (vni) => void foreign.add(nameDevice(vni)),
    hasDevice: (device) => devices.has(device) || foreign.has(device),
    [Symbol.asyncDispose]: () => overlay[Symbol.asyncDispose](),
  });
});
