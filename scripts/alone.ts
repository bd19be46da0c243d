// SPDX-License-Identifier: Apache-2.0
// Files of tests that run with no other beside them, and why. All others may share the machine.

/** A file of tests, and why none may run beside it. */
export const ALONE: Readonly<Record<string, string>> = {
  "scripts/demo.real.test.ts": "it counts what the machine has of engines, bridges and files",
  "src/discovery/multicast/loss.real.test.ts":
    "a host that gets no turn for seconds is taken for gone",
  "tests/simulation/simulation.test.ts": "it takes all cores for minutes",
  "tests/scenarios/crash-loop.real.test.ts": "it compares the pauses of a back-off",
  "tests/scenarios/faults.real.test.ts": "a host that gets no turn for seconds is taken for gone",
  "tests/scenarios/nodes.real.test.ts": "a node that gets no turn for seconds is taken for gone",
  "tests/scenarios/overlay.real.test.ts":
    "a host that gets no turn looks like one on the way to which large packets vanish",
  "tests/scenarios/strain.real.test.ts":
    "it compares what a busy fabric does with what an idle one does",
  "tests/scenarios/traffic.real.test.ts":
    "its users give up after a while, as they do on a machine that is theirs",
};
