// SPDX-License-Identifier: Apache-2.0
// What the demo does to its own containers, one after another.
import type { Engine } from "#engine/engine.ts";
import type { InstanceFact } from "#model/facts.ts";

/** Marks the demo's own writes, so that nobody takes them for Fairlead's. */
const DECISION = "demo-fault";

export interface Fault {
  readonly service: string;
  /** What is said of it: `kills the process of summarizer`. */
  readonly says: string;
  inflict(engine: Engine, instance: InstanceFact): Promise<void>;
}

/** Which faults, in which order. */
export const FAULTS: readonly Fault[] = [
  {
    service: "summarizer",
    says: "kills the process of summarizer with SIGKILL",
    inflict: (engine, instance) => engine.killInstance(instance.id, { decision: DECISION }),
  },
  {
    service: "publisher",
    says: "makes publisher ill: it runs, and its health check fails",
    async inflict(engine, instance) {
      const script = "await fetch('http://127.0.0.1:8080/ill')";
      const command = ["/usr/local/bin/node", "--input-type=module", "-e", script];
      await engine.exec(instance.id, command, { decision: DECISION });
    },
  },
  {
    service: "collector",
    says: "removes the container of collector by hand",
    inflict: (engine, instance) =>
      engine.removeInstance(instance.id, {
        decision: DECISION,
        force: true,
        anonymousVolumes: true,
      }),
  },
];
