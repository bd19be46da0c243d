// SPDX-License-Identifier: Apache-2.0
// The recipes as a truth table between two real engines: containers on either host, one network that spans both, policies
// that are declared on the first.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { startPackets } from "#lab/packets.ts";
import { askSocket, IMAGE, until } from "#lab/rig.ts";
import { runInNamespace } from "#lab/run-program.ts";
import {
  createDeclarer,
  makePods,
  OUTSIDE,
  probeCases,
  readRecipe,
  RECIPES,
  SERVED,
  type Case,
  type WorldPod,
} from "./policy-worlds.ts";

const PATIENCE_MS = 30_000;
/** One for each kind of peer; the others differ from these in nothing that a second host changes. */
const OFTEN = new Set(["recipe-02", "recipe-04", "recipe-07", "recipe-09-named", "recipe-11-2"]);
/** With `FAIRLEAD_POLICY_HOSTS=all` all of them. */
const CHOSEN =
  process.env["FAIRLEAD_POLICY_HOSTS"] === "all"
    ? RECIPES
    : RECIPES.filter(({ id }) => OFTEN.has(id));

const COMPOSE = `
name: wide
services:
  anchor:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    deploy: { replicas: 2, placement: { max_replicas_per_node: 1 } }
networks:
  default: { driver: vxlan, enable_ipv6: true }
`;

const stack = new AsyncDisposableStack();
const packets = stack.use(startPackets());
let pods: readonly WorldPod[] = [];
let declare: ReturnType<typeof createDeclarer>;

/** Somebody beside a host's networks, by the same addresses on each host. */
async function openOutside({ host }: HostNode): Promise<string> {
  const name = `${OUTSIDE.name}-${host.name}`;
  const [v4, v6] = [`${OUTSIDE.addresses[4]}/32`, `${OUTSIDE.addresses[6]}/128`];
  runInNamespace(host.netns, "ip", ["address", "add", v4, "dev", "lo"]);
  // Else nobody can serve there until the kernel has looked whether it is another's.
  runInNamespace(host.netns, "ip", ["address", "add", v6, "dev", "lo", "nodad"]);
  await packets.open(name, `/run/netns/${host.netns}`);
  await packets.serve(name, SERVED, Object.values(OUTSIDE.addresses));
  return name;
}

before(async () => {
  const { nodes } = stack.use(await startFleet({ hosts: 2 }));
  const [first] = nodes;
  assert.ok(first !== undefined);
  const { code, stdout, stderr } = await first.cli("up", "-f", first.file(COMPOSE));
  assert.equal(code, 0, `${stdout}${stderr}${first.readLog()}`);
  const hosts: { readonly endpoint: string; readonly outside: string }[] = [];
  for (const node of nodes)
    hosts.push({ endpoint: node.host.endpoint, outside: await openOutside(node) });
  pods = await makePods(hosts, { network: "wide_default", image: IMAGE, packets });
  declare = createDeclarer((path, options) => askSocket(first.socket, path, options));
});
after(() => stack.disposeAsync());

const isAcross = ({ from, to }: Case): boolean => from.host !== undefined && from.host !== to.host;

for (const recipe of CHOSEN)
  test(`${recipe.id}: ${recipe.title}, across two hosts`, async (t) => {
    const { cluster, cases } = readRecipe(recipe, pods);
    await declare(cluster, recipe.id);
    let wrong: readonly string[] = [];
    let rounds = 0;
    // The second host hears of it a moment later than the first, which has answered.
    await until("packets are judged as the recipe says", PATIENCE_MS, async () => {
      rounds += 1;
      wrong = await probeCases(cluster, cases, packets);
      return wrong.length === 0;
    }).catch(() => assert.deepEqual(wrong, []));
    const across = cases.filter(isAcross).length;
    t.diagnostic(`${cases.length} kinds of packets, ${across} of them across, ${rounds} rounds`);
  });

test("what is left out is said", (t) => {
  const left = RECIPES.filter((one) => !CHOSEN.includes(one)).map(({ id }) => id);
  t.diagnostic(`left out: ${left.join(", ") || "none"}; FAIRLEAD_POLICY_HOSTS=all tries all`);
  assert.ok(CHOSEN.length >= OFTEN.size, "each of those that are tried often is there");
});
