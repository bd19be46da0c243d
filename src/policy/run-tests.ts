// SPDX-License-Identifier: Apache-2.0
// Tests of policies, run on what they compile to: no engine, no packet.
import { formatAddress, parseAddress } from "#base/addresses.ts";
import { FairleadError } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import type { NetworkPolicy, PolicyStep } from "#model/policy.ts";
import { compilePolicies, findTable } from "./compile-policies.ts";
import { policyErrors } from "./errors.ts";
import { explainConversation, type Party } from "./explain.ts";
import { lookUp } from "./look-up.ts";
import type { PolicyTest } from "./read-tests.ts";
import {
  SERVICE_LABEL,
  SERVICE_SHORT_LABEL,
  type NamedPort,
  type PolicyInstance,
  type PolicyWorld,
} from "./world.ts";

/** A service that tests may name. */
export interface TestService {
  readonly scope: string;
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly NamedPort[];
}

export interface TestGround {
  readonly policies: readonly NetworkPolicy[];
  readonly services: readonly TestService[];
  /** Labels of scopes. */
  readonly scopes: PolicyWorld["scopes"];
  /** The scope of names that name none. */
  readonly scope: string;
  /** Scopes whose services are all known, so that each other name in them is a mistake. Of others a name is enough. */
  readonly known: ReadonlySet<string>;
}

export interface TestResult {
  readonly test: PolicyTest;
  readonly verdict: "allow" | "deny";
  readonly passed: boolean;
  readonly steps: readonly PolicyStep[];
}

/** Services stand at addresses that nobody's policies name. */
const FIRST_ADDRESS = 0x64_40_00_01n;

function toInstance(one: TestService, at: number): PolicyInstance {
  const { scope, service, labels, ports } = one;
  return {
    id: `${scope}/${service}`,
    name: `${scope}/${service}`,
    scope,
    service,
    labels: { [SERVICE_SHORT_LABEL]: service, ...labels, [SERVICE_LABEL]: service },
    addresses: [formatAddress(4, FIRST_ADDRESS + BigInt(at))],
    ports,
  };
}

/** The services that are known, and those that tests name besides. Throws FL1504 `bad-policy-test`. */
function gatherServices(tests: readonly PolicyTest[], ground: TestGround): readonly TestService[] {
  const services = new Map(ground.services.map((one) => [`${one.scope}/${one.service}`, one]));
  for (const { from, to, at } of tests)
    for (const name of [from, to]) {
      const id = name.includes("/") ? name : `${ground.scope}/${name}`;
      if (parseAddress(name) !== undefined || services.has(id)) continue;
      const [scope = "", service = ""] = id.split("/");
      if (ground.known.has(scope)) {
        const own = [...services.values()].map((one) => one.service);
        const nearest = findNearest(service, own);
        throw new FairleadError(
          policyErrors["bad-policy-test"],
          `there is no service "${service}" in ${scope}`,
          {
            location: at,
            ...(nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` }),
          },
        );
      }
      services.set(id, { scope, service, labels: {}, ports: [] });
    }
  return [...services.values()];
}

/** Runs tests. Throws FL1504 `bad-policy-test` for one that names a service that is not there. */
export function runPolicyTests(
  tests: readonly PolicyTest[],
  ground: TestGround,
): readonly TestResult[] {
  const instances = gatherServices(tests, ground).map(toInstance);
  const world: PolicyWorld = { instances, scopes: ground.scopes };
  const byName = new Map(instances.map((one) => [one.name, one]));
  const tables = compilePolicies(ground.policies, world);
  const find = (name: string): Party =>
    byName.get(name.includes("/") ? name : `${ground.scope}/${name}`) ?? { address: name };
  const addressOf = (party: Party): string =>
    "addresses" in party ? (party.addresses[0] ?? "") : party.address;
  const tableOf = (party: Party) => ("id" in party ? findTable(tables, party.id) : undefined);

  return tests.map((test) => {
    const { protocol, port } = test;
    const [from, to] = [find(test.from), find(test.to)];
    const leaves = lookUp(tableOf(from)?.egress, { address: addressOf(to), protocol, port });
    const enters = lookUp(tableOf(to)?.ingress, { address: addressOf(from), protocol, port });
    const verdict = leaves && enters ? "allow" : "deny";
    const { steps } = explainConversation(ground.policies, world, { from, to, protocol, port });
    return { test, verdict, passed: verdict === test.expect, steps };
  });
}
