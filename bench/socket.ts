// SPDX-License-Identifier: Apache-2.0
// What an agent's guarded Docker API adds to the engine's own: the same list and the same inspect, in turns.
import { readdirSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { IMAGE, openRig } from "#lab/rig.ts";
import type { Bench } from "./bench.ts";

const CONTAINERS = 3;
const CALLS = Number(process.env["FAIRLEAD_BENCH_CALLS"] ?? 2_000);
const WARM_UP = 200;

interface Side {
  readonly subject: string;
  ask(path: string): Promise<string>;
}

/** Asks over one connection that is kept. */
function openSide(subject: string, socketPath: string, stack: DisposableStack): Side {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  stack.defer(() => agent.destroy());
  return {
    subject,
    ask: (path) =>
      new Promise((resolve, reject) => {
        const sent = request({ socketPath, path, agent }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("error", reject).on("end", () => {
            if (response.statusCode === 200) resolve(text);
            else reject(new Error(`${path}: ${response.statusCode} ${text}`));
          });
        });
        sent.on("error", reject).end();
      }),
  };
}

export const socket: Bench = {
  name: "socket",
  about:
    "list and inspect of an agent's containers, by its guarded Docker API and by the engine's own",
  async run({ say, sample }) {
    await using rig = await openRig();
    using stack = new DisposableStack();
    const file = join(rig.directory, "compose.yaml");
    const word = `guarded images=busybox:* count=${CONTAINERS}`;
    writeFileSync(
      file,
      `name: crew\nservices:\n  boss:\n    image: ${IMAGE}\n    stop_grace_period: 0s\n    labels: { fairlead.docker: "${word}" }\n`,
    );
    await rig.startNode();
    const { code, stderr } = await rig.cli(["up", "-f", file, "--progress", "quiet"]);
    if (code !== 0) throw new Error(stderr);
    const sockets = join(rig.directory, "fabric", "docker");
    const [own = ""] = readdirSync(sockets);
    const guarded = openSide("fairlead", join(sockets, own, "docker.sock"), stack);
    const raw = openSide("engine", rig.lab.socketPath, stack);
    for (let i = 0; i < CONTAINERS; i++) await makeContainer(join(sockets, own, "docker.sock"), i);
    const filters = encodeURIComponent(`{"label":["io.fairlead.agent=crew/boss"]}`);
    const paths: Readonly<Record<string, (side: Side) => string>> = {
      list_ms: () => `/containers/json?all=1&filters=${filters}`,
      inspect_ms: (side) =>
        side === raw ? "/containers/crew.boss.tool0/json" : "/containers/tool0/json",
    };
    for (const [metric, path] of Object.entries(paths)) {
      say(`${metric}: ${CALLS} calls each`);
      for (let i = -WARM_UP; i < CALLS; i++) {
        for (const side of [raw, guarded]) {
          const beganMs = performance.now();
          await side.ask(path(side));
          const value = performance.now() - beganMs;
          if (i >= 0) sample({ metric, unit: "ms", subject: side.subject, value });
        }
      }
    }
  },
};

function makeContainer(socketPath: string, index: number): Promise<void> {
  const body = JSON.stringify({ Image: IMAGE });
  const headers = { "content-type": "application/json", "content-length": body.length };
  const path = `/containers/create?name=tool${index}`;
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: "POST", headers, agent: false }, (answer) => {
      answer.resume();
      if (answer.statusCode === 201) resolve();
      else reject(new Error(`create: ${answer.statusCode}`));
    });
    sent.on("error", reject).end(body);
  });
}
