// SPDX-License-Identifier: Apache-2.0
// Three nodes of one fleet on a real etcd prove to each other who they are, and a stranger in several disguises does not. They
// have no engines, which identities do not need.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { NodeView } from "@fairlead/protocol/node.ts";
import { FairleadError } from "#base/errors.ts";
import { NODE_CERTIFICATES } from "#control/roll-entries.ts";
import { issueCredential, makeKey, type Credential } from "#identity/authority.ts";
import { nodeUri } from "#identity/verify.ts";
import { startEtcd, type EtcdCluster } from "#lab/etcd.ts";
import { createLabAuthority } from "#lab/peer-credentials.ts";
import { playMember, playNode, readSigningAuthority } from "#lab/play-node.ts";
import { until } from "#lab/rig.ts";
import { createSystemClock } from "#node/system-clock.ts";
import type { Peering } from "#peering/peering.ts";
import { openStore } from "#store/open.ts";
import type { Store } from "#store/store.ts";
import {
  createFleetProcess,
  FLEET_PORT,
  fleetAddress,
  type FleetProcess,
} from "./fleet-process.ts";

const PATIENCE_MS = 30_000;
let cluster: EtcdCluster;
let directory: string;
let store: Store;
const nodes: FleetProcess[] = [];

function nodeAt(index: number): FleetProcess {
  const node = nodes[index];
  assert.ok(node !== undefined);
  return node;
}

/** Every node is told by every other one what it decided: nobody is missing from the list. */
async function awaitTogether(): Promise<void> {
  for (const node of nodes)
    await until(`${node.name} reaches all`, PATIENCE_MS, async () => {
      const { items } = await node.ask<NodeView>("nodes");
      if (items.length !== nodes.length || items.some(({ state }) => state !== "alive"))
        return false;
      const { missing } = await node.ask("decisions");
      return missing.every((text) => text.startsWith("engine: "));
    });
}

/** Why the question of a node is not answered. */
async function tryAsking(stranger: Peering): Promise<string> {
  try {
    const [self] = (await nodeAt(0).ask<NodeView>("nodes")).items;
    const at = { id: self?.id ?? "", address: fleetAddress(0), port: FLEET_PORT };
    await stranger.ask(at, "/images/find", { query: { reference: "busybox:1" } });
  } catch (thrown) {
    return FairleadError.from(thrown).kind.slug;
  }
  return "was answered";
}

before(async () => {
  cluster = await startEtcd();
  directory = mkdtempSync(join(tmpdir(), "fairlead-identity-"));
  store = await openStore(
    { kind: "etcd", endpoints: cluster.endpoints, prefix: "/fairlead/fleets/harbour/" },
    { clock: createSystemClock() },
  );
  for (const index of [0, 1, 2]) nodes.push(createFleetProcess(directory, cluster, index));
  await Promise.all(nodes.map((node) => node.start()));
  await awaitTogether();
});
after(async () => {
  for (const node of nodes) await node.signal("SIGKILL");
  await store?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

test("forged, stale and stolen certificates are refused, and each refusal is in the audit log", async () => {
  const a = nodeAt(0);
  const authority = await readSigningAuthority(store);
  const key = await makeKey();
  const uri = nodeUri("harbour", "node-b");
  const nowMs = Date.now();
  const forged = await createLabAuthority("harbour");
  const disguises: Readonly<Record<string, Credential>> = {
    "another authority": await issueCredential(forged.authority, { uri, key, nowMs }),
    "a stale one": await issueCredential(authority, { uri, key, nowMs: nowMs - 3_700_000 }),
    "one of the future": await issueCredential(authority, { uri, key, nowMs: nowMs + 3_700_000 }),
    "an agent's": await issueCredential(authority, {
      uri: "spiffe://harbour/shop/web",
      key,
      nowMs,
    }),
    // Signed by the fleet's own authority, on a key that no node has: a stolen authority does not make a node.
    "a key that is nobody's": await issueCredential(authority, { uri, key, nowMs }),
    "a name that is nobody's": await issueCredential(authority, {
      uri: nodeUri("harbour", "node-x"),
      key,
      nowMs,
    }),
  };
  const place = { store, fleet: "harbour", address: fleetAddress(8) };
  for (const [what, credential] of Object.entries(disguises)) {
    await using stranger = await playNode(place, credential);
    assert.match(await tryAsking(stranger), /^peer-(untrusted|unreachable)$/, what);
  }
  const lines = await a.ask<{ kind: string; actor: string; facts: Record<string, string> }>(
    "audit?kind=refused",
  );
  const reasons = lines.items.map(({ facts }) => facts["reason"] ?? "");
  const wanted = [
    /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/,
    /^CERT_HAS_EXPIRED$/,
    /^CERT_NOT_YET_VALID$/,
    /^the certificate is of shop\/web, which is no node$/,
    /^the certificate of node-b is not the one that the fleet knows$/,
    /^the certificate of node-x is not the one that the fleet knows$/,
  ];
  for (const one of wanted)
    assert.ok(
      reasons.some((reason) => one.test(reason)),
      `${one} is not among ${reasons.join("; ")}`,
    );
  await awaitTogether();
});

interface Identity {
  readonly kind: string;
  readonly uri: string;
  readonly state: string;
  readonly serial: string;
}

/** Serials of the nodes' certificates, by id. */
async function readSerials(): Promise<ReadonlyMap<string, string>> {
  const { items } = await nodeAt(0).ask<Identity>("identities");
  const own = items.filter(({ kind }) => kind === "node");
  return new Map(own.map(({ uri, serial }) => [uri, serial]));
}

/** Asks for what all nodes decided, over and over, until stopped; tells how often, and which answers lacked somebody. */
function askAllTheTime(node: FleetProcess) {
  let isOver = false;
  const lacking: string[] = [];
  const work = (async () => {
    let count = 0;
    for (; !isOver; count++) {
      const { missing } = await node.ask("decisions");
      lacking.push(...missing.filter((text) => !text.startsWith("engine: ")));
    }
    return count;
  })();
  return {
    async stop() {
      isOver = true;
      return { count: await work, lacking };
    },
  };
}

test("the authority is changed three times while nodes ask each other: no question fails, no link is cut", async () => {
  const links = askAllTheTime(nodeAt(1));
  for (let round = 0; round < 3; round++) {
    const before = await readSerials();
    const { code, text } = nodeAt(0).cli("identity", "rotate");
    assert.equal(code, 0, text);
    await until("all have a certificate of it", PATIENCE_MS, async () => {
      const now = await readSerials();
      return now.size === 3 && [...now].every(([uri, serial]) => before.get(uri) !== serial);
    });
  }
  const { count, lacking } = await links.stop();
  assert.deepEqual(lacking, [], `of ${count}`);
  assert.ok(count > 0);
  const { text } = nodeAt(0).cli("identity", "ls");
  assert.match(text, /^ID +KIND +STATE +ENDS IN +OF\nspiffe:\/\/harbour +authority +signs/);
  assert.match(text, /\nspiffe:\/\/harbour\/fairlead\/node\/node-b +node +valid +1h/);
  const wide = nodeAt(0).cli("nodes", "-o", "wide").text;
  assert.match(wide, /^NODE .* CERTIFICATE/);
  assert.match(wide, /\nnode-b +.* alive .* 1h/);
});

test("who is revoked is cut off and takes another certificate; what was stolen of it opens nothing", async (t) => {
  const uri = nodeUri("harbour", "node-x");
  const place = { store, fleet: "harbour", address: fleetAddress(8) };
  const own = (await readSerials()).get(nodeUri("harbour", "node-c"));
  await using thief = await playMember(place, "node-x");
  // It is heard: that nothing comes of the question is another matter.
  assert.equal(await tryAsking(thief), "peer-refused");
  assert.ok((await readSerials()).has(uri));
  const [self] = (await nodeAt(0).ask<NodeView>("nodes")).items;
  const at = { id: self?.id ?? "", address: fleetAddress(0), port: FLEET_PORT };
  // A connection that stays open for as long as both want it.
  const open = await thief.connect(at, "/link", {
    query: { from: "node-x", name: "node-x", to: at.id },
  });
  const cut = once(open.on("error", () => undefined).resume(), "close");
  const beganMs = performance.now();
  await store.transact([{ kind: "delete", key: `${NODE_CERTIFICATES}node-x` }]);
  await cut;
  const tookMs = performance.now() - beganMs;
  t.diagnostic(`cut off ${tookMs.toFixed(0)} ms after it was revoked`);
  assert.match(await tryAsking(thief), /^peer-(untrusted|unreachable)$/);

  const { code, text } = nodeAt(1).cli("identity", "revoke", "node-c", "--reason", "a test");
  assert.equal(code, 0, text);
  await until("node-c has another certificate", PATIENCE_MS, async () => {
    const now = (await readSerials()).get(nodeUri("harbour", "node-c"));
    return now !== undefined && now !== own;
  });
  await awaitTogether();
});
