// SPDX-License-Identifier: Apache-2.0
// Policies held against real packets between real containers on one host: the recipes as a truth table, and random policies.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { startPackets } from "#lab/packets.ts";
import { IMAGE, openRig, type Rig } from "#lab/rig.ts";
import { runInNamespace, runProgram } from "#lab/run-program.ts";
import { arbitraryPolicy } from "#policy/testing/arbitrary-policies.ts";
import type { Cluster } from "#policy/testing/oracle.ts";
import {
  createDeclarer,
  expectOf,
  makePods,
  OUTSIDE,
  probeCases,
  readRecipe,
  RECIPES,
  SERVED,
  type Case,
  type WorldPod,
} from "./policy-worlds.ts";

/** Random sets of policies that are probed, and packets for each. */
const WORLDS = Number(process.env["FAIRLEAD_POLICY_PACKETS"] ?? 4);
const PACKETS = 60;
const NETWORK = "packets";

const packets = startPackets();
let rig: Rig;
let pods: readonly WorldPod[] = [];
let declare: ReturnType<typeof createDeclarer>;

before(async () => {
  rig = await openRig({ inside: true });
  await rig.startNode();
  const { endpoint, netns } = rig.lab;
  const subnets = ["--subnet", "10.92.0.0/24", "--ipv6", "--subnet", "fd00:92::/64"];
  runProgram("docker", ["-H", endpoint, "network", "create", ...subnets, NETWORK]);
  runInNamespace(netns, "ip", ["address", "add", `${OUTSIDE.addresses[4]}/32`, "dev", "lo"]);
  runInNamespace(netns, "ip", ["address", "add", `${OUTSIDE.addresses[6]}/128`, "dev", "lo"]);
  await packets.open(OUTSIDE.name, `/run/netns/${netns}`);
  await packets.serve(OUTSIDE.name, SERVED, Object.values(OUTSIDE.addresses));
  pods = await makePods([{ endpoint }], { network: NETWORK, image: IMAGE, packets });
  declare = createDeclarer((path, options) => rig.ask(path, options));
});
after(async () => {
  await packets[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

async function check(cluster: Cluster, cases: readonly Case[], world: string): Promise<void> {
  await declare(cluster, world);
  assert.deepEqual(await probeCases(cluster, cases, packets), []);
}

describe("the recipes, by packets of TCP and UDP over IPv4 and IPv6", () => {
  for (const recipe of RECIPES)
    test(`${recipe.id}: ${recipe.title}`, async () => {
      const { cluster, cases } = readRecipe(recipe, pods);
      await check(cluster, cases, recipe.id);
    });
});

test(`packets are judged as the second evaluator says, for ${WORLDS} random sets of policies`, async () => {
  const policy = arbitraryPolicy({
    scopes: ["default", "secondary", "other"],
    keys: ["app", "role", "type"],
    values: ["web", "bookstore", "monitoring", "api", "frontend"],
    blocks: [
      { cidr: "10.92.0.0/24", except: ["10.92.0.0/28"] },
      { cidr: "10.92.0.0/28", except: ["10.92.0.4/30"] },
      { cidr: "0.0.0.0/0", except: ["10.92.0.8/29"] },
      { cidr: "203.0.113.0/24" },
      { cidr: "fd00:92::/64", except: ["fd00:92::/124"] },
      { cidr: "::/0" },
    ],
  });
  const ends = fc.constantFrom(...pods, OUTSIDE);
  const anyCase: fc.Arbitrary<Case> = fc
    .record({
      from: ends,
      to: ends,
      protocol: fc.constantFrom("TCP" as const, "UDP" as const),
      port: fc.constantFrom(53, 80, 85, 91, 443, 8080),
      family: fc.constantFrom(4 as const, 6 as const),
    })
    .filter(({ from, to }) => from !== to);
  const anyWorld = fc.record({
    policies: fc.array(policy, { minLength: 1, maxLength: 5 }),
    cases: fc.array(anyCase, { minLength: PACKETS, maxLength: PACKETS }),
  });
  const seed = Number(process.env["FAIRLEAD_POLICY_SEED"] ?? 7);
  let allowed = 0;
  for (const [index, { policies, cases }] of fc
    .sample(anyWorld, { numRuns: WORLDS, seed })
    .entries()) {
    const cluster = { namespaces: { other: { app: "web" } }, policies };
    allowed += cases.filter((one) => expectOf(cluster, one)).length;
    await check(cluster, cases, `random-${index}`);
  }
  assert.ok(allowed > 0 && allowed < WORLDS * PACKETS, `${allowed} allowed`);
});
