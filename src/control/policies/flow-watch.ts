// SPDX-License-Identifier: Apache-2.0
// Reads what the kernel counts: from time to time, and when somebody asks. How often follows from how long it takes, so that
// many instances cost no more of the host than few.
import type { Clock } from "#base/clock.ts";
import { createLimiter } from "#base/limiter.ts";
import type { Guard, Place, Sight } from "#guard/guard.ts";
import type { FlowQuery, FlowView } from "#model/flows.ts";
import type { NetworkPolicy, PolicyProtocol, PolicyStep } from "#model/policy.ts";
import { explainSide } from "#policy/explain.ts";
import type { PolicyInstance, PolicyWorld } from "#policy/world.ts";
import { createFlowBook } from "./flow-book.ts";
import type { Flows } from "./policies.ts";

const WIDTH = 4;
/** What was read so short a time ago is read no second time. */
const FRESH_MS = 1_000;
const REST_MIN_MS = 10_000;
/** Of the time, one part in so many goes into reading. */
const REST_SHARE = 20;
/** Conversations that wait for a reader who is slow; more are left out, and counted as lost for that reader. */
const WAITING_MAX = 10_000;

export interface FlowWatchOptions {
  readonly guard: Pick<Guard, "inspect">;
  readonly clock: Clock;
  /** Instances that have rules, with where they run. */
  readonly guarded: () => readonly (Place & { readonly instance: PolicyInstance })[];
  readonly world: () => PolicyWorld;
  readonly policies: () => readonly NetworkPolicy[];
  /** The name by which an instance got an address. */
  readonly findName?: (id: string, address: string) => string | undefined;
}

/** Flows, and the loop that reads them. */
export interface FlowWatch extends Flows {
  run(signal: AbortSignal): Promise<void>;
}

/** How policies call protocols that nft names. */
export const PROTOCOLS: Readonly<Record<string, PolicyProtocol>> = {
  tcp: "TCP",
  udp: "UDP",
  sctp: "SCTP",
  icmp: "ICMP",
  "ipv6-icmp": "ICMP",
};

/** What of policies let a sight pass or not; without a policy where that has changed since. */
function explainSight(
  { world, policies }: { readonly world: PolicyWorld; readonly policies: readonly NetworkPolicy[] },
  self: PolicyInstance,
  other: PolicyInstance | undefined,
  sight: Sight,
  name: string | undefined,
): PolicyStep {
  const { direction, address, port } = sight;
  const verdict = sight.verdict === "denied" ? "deny" : "allow";
  const protocol = PROTOCOLS[sight.protocol];
  if (protocol === undefined) return { direction, verdict };
  const peer = other ?? (name === undefined ? { address } : { address, name });
  const ends = direction === "ingress" ? { from: peer, to: self } : { from: self, to: peer };
  const step = explainSide(policies, world, { ...ends, protocol, port }, direction);
  return step.verdict === verdict ? step : { direction, verdict };
}

/** Whether a conversation is asked for. */
function matchesFlow(query: FlowQuery, { from, to, verdict, lastAtMs }: FlowView): boolean {
  const is = (name: string, end: FlowView["from"]): boolean =>
    [end.service, `${end.scope ?? ""}/${end.service ?? ""}`, end.instance, end.address, end.name]
      .filter((one) => one !== undefined)
      .includes(name);
  const { scope, service } = query;
  return (
    (scope === undefined || from.scope === scope || to.scope === scope) &&
    (service === undefined || is(service, from) || is(service, to)) &&
    (query.from === undefined || is(query.from, from)) &&
    (query.to === undefined || is(query.to, to)) &&
    (query.denied !== true || verdict !== "allowed") &&
    lastAtMs >= (query.sinceMs ?? 0)
  );
}

/** Makes the watch; nothing is read before it is asked or runs. */
export function createFlowWatch(options: FlowWatchOptions): FlowWatch {
  const { guard, clock } = options;
  const book = createFlowBook();
  const limiter = createLimiter(WIDTH);
  const listeners = new Set<(flows: readonly FlowView[]) => void>();
  let reading: Promise<void> | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;

  async function readAll(): Promise<void> {
    const [world, policies] = [options.world(), options.policies()];
    const owners = new Map(
      world.instances.flatMap((one) => one.addresses.map((address) => [address, one] as const)),
    );
    await Promise.all(
      options.guarded().map(({ instance, id, pid }) =>
        limiter.run(async () => {
          // One that has ended meanwhile has nothing to tell.
          const installed = await guard.inspect({ id, pid }).catch(() => undefined);
          if (installed === undefined) return;
          const fresh = book.take(instance, installed, {
            nowMs: clock.nowMs(),
            findOwner: (address) => owners.get(address),
            findName: (of, address) => options.findName?.(of, address),
            explain: (self, sight) =>
              explainSight(
                { world, policies },
                self,
                owners.get(sight.address),
                sight,
                options.findName?.(self.id, sight.address),
              ),
          });
          if (fresh.length > 0) for (const listen of listeners) listen(fresh);
        }),
      ),
    );
  }

  function read(): Promise<void> {
    if (reading !== undefined) return reading;
    if (clock.monotonicMs() - readAtMs < FRESH_MS) return Promise.resolve();
    reading = readAll().finally(() => {
      readAtMs = clock.monotonicMs();
      reading = undefined;
    });
    return reading;
  }

  return {
    get lost() {
      return book.lost;
    },
    async list(query) {
      await read();
      return book.list(clock.nowMs()).filter((flow) => matchesFlow(query, flow));
    },
    async *follow(query, signal) {
      const waiting: FlowView[] = [];
      const listen = (flows: readonly FlowView[]): void => {
        const wanted = flows.filter((flow) => matchesFlow(query, flow));
        waiting.push(...wanted.slice(0, WAITING_MAX - waiting.length));
      };
      // What was counted before is no news.
      await read();
      listeners.add(listen);
      try {
        while (!signal.aborted) {
          await read();
          yield* waiting.splice(0).toSorted((a, b) => a.lastAtMs - b.lastAtMs);
          await clock.sleep(FRESH_MS, signal).catch(() => undefined);
        }
      } finally {
        listeners.delete(listen);
      }
    },
    async run(signal) {
      while (!signal.aborted) {
        const beganMs = clock.monotonicMs();
        await read();
        const tookMs = clock.monotonicMs() - beganMs;
        const restMs = Math.max(REST_MIN_MS, tookMs * REST_SHARE);
        await clock.sleep(restMs, signal).catch(() => undefined);
      }
    },
  };
}
