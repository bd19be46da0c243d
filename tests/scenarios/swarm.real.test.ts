// SPDX-License-Identifier: Apache-2.0
// A network with `driver: overlay` on two real engines: refused with the reason while they form no Swarm, made once they do,
// by whichever manager comes first; instances of both hosts reach each other.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { NetworkAdvice } from "@fairlead/protocol/network.ts";
import { startFleet } from "#lab/fleet.ts";
import type { HostNode } from "#lab/host-node.ts";
import { IMAGE, until } from "#lab/rig.ts";
import { runProgram } from "#lab/run-program.ts";

const PATIENCE_MS = 60_000;
const NETWORK = "swarmed_default";
const COMPOSE = `
name: swarmed
services:
  web:
    image: ${IMAGE}
    command: ["sleep", "1000"]
    stop_signal: SIGKILL
    deploy: { replicas: 2, placement: { max_replicas_per_node: 1 } }
networks:
  default: { driver: overlay }
`;

const docker = ({ host }: HostNode, ...args: string[]): string =>
  runProgram("docker", ["-H", host.endpoint, ...args]).trim();

/** Whether a node has said this of the network. */
async function hasSaid(by: HostNode, code: string): Promise<boolean> {
  const { body } = await by.ask<{ items: readonly Decision[] }>("decisions?scope=swarmed");
  return body.items.some(({ result, object }) => object === NETWORK && result?.includes(code));
}

test("engines that form a Swarm carry a network of a Compose file, and those that do not say why", async () => {
  await using fleet = await startFleet({ hosts: 2 });
  const [a, b] = fleet.nodes;
  assert.ok(a !== undefined && b !== undefined);
  const file = a.file(COMPOSE);
  const refused = await a.cli("up", "-f", file, "--timeout", "3s");
  assert.notEqual(refused.code, 0);
  await until("both say that there is no Swarm", PATIENCE_MS, async () => {
    return (await hasSaid(a, "FL0726")) && (await hasSaid(b, "FL0726"));
  });

  docker(a, "swarm", "init", "--advertise-addr", a.host.ip);
  const token = docker(a, "swarm", "join-token", "-q", "worker");
  docker(b, "swarm", "join", "--token", token, "--advertise-addr", b.host.ip, a.host.ip);
  await until("the worker says that it is one", PATIENCE_MS, () => hasSaid(b, "FL0728"));
  docker(a, "node", "promote", docker(b, "info", "-f", "{{.Swarm.NodeID}}"));
  const up = await a.cli("up", "-f", file);
  assert.equal(up.code, 0, `${up.stdout}${up.stderr}`);

  const shown = docker(b, "network", "inspect", "-f", "{{.Driver}} {{.Attachable}}", NETWORK);
  assert.equal(shown, "overlay true");
  const [web1, web2] = [a, b].map((at) => docker(at, "ps", "-q"));
  const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
  const address = docker(b, "inspect", "-f", format, web2 ?? "");
  await until("they reach each other", PATIENCE_MS, () =>
    docker(a, "exec", web1 ?? "", "sh", "-c", `ping -c 1 -W 1 ${address} || true`).includes(
      "1 packets received",
    ),
  );
  const { body } = await a.ask<{ items: readonly NetworkAdvice[] }>("network-advice?service=web");
  const advice = body.items.map(({ has, suits, nodes }) => [has, suits, ...nodes].join(" "));
  assert.deepEqual(advice, ["overlay overlay h1 h2"]);

  const down = await b.cli("down", "-p", "swarmed");
  assert.equal(down.code, 0, `${down.stdout}${down.stderr}`);
  for (const at of [a, b])
    await until("the network is gone", PATIENCE_MS, () => {
      return !docker(at, "network", "ls", "--format", "{{.Name}}").includes(NETWORK);
    });
});
