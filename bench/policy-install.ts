// SPDX-License-Identifier: Apache-2.0
// Runs in a host's network namespace: makes the guard let an instance be called under so many rules, as a node would. Its one
// argument is an order as JSON.
import type { Guest } from "#guard/guard.ts";
import { openGuard } from "#guard/open.ts";
import type { NetworkPolicy } from "#model/policy.ts";
import { createNetfilter } from "#netfilter/netfilter.ts";
import { createXtables } from "#netfilter/xtables.ts";
import { compilePolicies, findTable } from "#policy/compile-policies.ts";
import type { PolicyInstance } from "#policy/world.ts";
import { listRules } from "./policy-rules.ts";

/** What to do. */
export interface InstallOrder {
  /** 0 takes everything away. */
  readonly rules: number;
  /** By what. */
  readonly driver: "nftables" | "iptables";
  readonly bridge: string;
  readonly asker: Guest;
  readonly called: Guest;
}

function toInstance({ id, ports }: Guest, role: string): PolicyInstance {
  const addresses = ports.flatMap((one) => one.addresses);
  return { id, name: id, scope: "s", service: role, labels: { role }, addresses, ports: [] };
}

/** One policy of the called: so many rules for others that never call, and a last one that lets the asker in. */
function makePolicy(rules: number): NetworkPolicy {
  const at = { file: "policy.yaml", line: 1 };
  const select = (role: string) => ({ labels: { role }, requirements: [] });
  return {
    scope: "s",
    name: "p",
    instances: select("called"),
    ingress: [
      ...listRules(rules - 1).map(({ block, port }) => ({
        peers: [{ kind: "block" as const, block, except: [] }],
        ports: [{ protocol: "TCP" as const, port }],
        at,
      })),
      {
        peers: [{ kind: "instances", instances: select("asker") }],
        ports: [{ protocol: "TCP" }],
        at,
      },
    ],
    at,
  };
}

const order = JSON.parse(process.argv[2] ?? "") as InstallOrder;
const { rules, driver, bridge, asker, called } = order;
const guard =
  driver === "nftables"
    ? openGuard({ kind: driver, netfilter: createNetfilter() })
    : openGuard({ kind: driver, xtables: createXtables() });
if (rules === 0) {
  await guard.gate({ bridges: [], ready: [], look: true, shortcuts: [] });
  await guard.release(called);
} else {
  const world = {
    instances: [toInstance(asker, "asker"), toInstance(called, "called")],
    scopes: new Map(),
  };
  const table = findTable(compilePolicies([makePolicy(rules)], world), called.id);
  await guard.protect({ id: called.id, pid: called.pid, mode: "enforce", table });
  await guard.gate({ bridges: [bridge], ready: [asker, called], look: true, shortcuts: [] });
}
