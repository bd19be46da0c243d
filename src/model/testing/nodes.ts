// SPDX-License-Identifier: Apache-2.0
// Nodes of a fleet, as tests need them.
import { MARKS_OF, type NodeRecord, type NodeView } from "@fairlead/protocol/node.ts";

/** What stands on the roll of a node that may be used. */
export function buildNodeRecord(name: string, parts: Partial<NodeRecord> = {}): NodeRecord {
  return {
    id: `${name}-1`,
    name,
    incarnation: 1,
    address: "10.0.0.6",
    port: 7_120,
    version: "0.1.0",
    os: "linux",
    arch: "x86_64",
    cpuCount: 2,
    memoryBytes: 2 ** 30,
    labels: {},
    devices: {},
    ...MARKS_OF.uncordon,
    ...parts,
  };
}

/** The same with how another node sees it: alive. */
export function buildNodeView(name: string, parts: Partial<NodeView> = {}): NodeView {
  return { ...buildNodeRecord(name), state: "alive", reason: "", self: false, ...parts };
}
