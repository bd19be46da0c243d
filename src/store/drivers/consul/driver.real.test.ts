// SPDX-License-Identifier: Apache-2.0
// The conformance suite on a real agent of Consul, the one that CONSUL_BIN names: `consul` is in no distribution that tests
// run on, so without it this says that it was not done. Time passes as it does: the rules of leases really wait.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { storeConformance } from "#store/store-conformance.ts";
import { systemClock } from "#store/testing/system-clock.ts";
import { openConsulStore } from "./driver.ts";
import { SKIPPED_RULES } from "./skipped-rules.ts";

const START_MS = 30_000;
const VERSION_MS = 10_000;
const program = process.env["CONSUL_BIN"] ?? "";

/** What Fairlead asks an operator to set, besides a place of its own. */
const CONFIGURATION = {
  session_ttl_min: "1s",
  limits: { kv_max_value_size: 16_777_216, txn_max_req_len: 67_108_864 },
  ports: { dns: -1, grpc: -1, grpc_tls: -1, serf_wan: -1 },
};

/** Why the program is none of Consul; undefined when it is. */
function findProblem(): string | undefined {
  const { error, stdout, stderr, status } = spawnSync(program, ["version"], {
    encoding: "utf8",
    timeout: VERSION_MS,
  });
  if (error !== undefined)
    return `CONSUL_BIN names ${program}, which does not run: ${error.message}`;
  if (/^Consul v\d/.test(stdout)) return undefined;
  const [said = ""] = `${stdout}${stderr}`.trim().split("\n");
  return `CONSUL_BIN names ${program}, which is not Consul: \`${program} version\` ends with ${status} and says "${said}"`;
}

async function findPorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

interface RunningAgent extends AsyncDisposable {
  readonly endpoint: string;
}

async function startAgent(): Promise<RunningAgent> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-consul-"));
  const [http, server, lan] = await findPorts(3);
  const ports = { ...CONFIGURATION.ports, http, server, serf_lan: lan };
  const file = join(directory, "agent.json");
  writeFileSync(file, JSON.stringify({ ...CONFIGURATION, ports }));
  const place = ["-bind=127.0.0.1", "-client=127.0.0.1", `-config-file=${file}`];
  const log = ["-log-level=warn"];
  const child: ChildProcess = spawn(program, ["agent", "-dev", ...place, ...log], {
    stdio: "ignore",
  });
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => undefined);
  const endpoint = `127.0.0.1:${http}`;
  for (const endMs = performance.now() + START_MS; ; await Promise.race([sleep(100), failed])) {
    const leader = await fetch(`http://${endpoint}/v1/status/leader`).catch(() => undefined);
    if (leader?.ok === true && (await leader.text()).length > 2) break;
    if (child.exitCode !== null || performance.now() > endMs)
      throw new Error(`${program} agent does not start`);
  }
  return {
    endpoint,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

let agent: Promise<RunningAgent> | undefined;
let count = 0;
after(async () => (await agent)?.[Symbol.asyncDispose]());

const problem = program === "" ? undefined : findProblem();

if (program === "")
  test("the conformance suite on a real agent", {
    skip: "CONSUL_BIN names no agent of Consul; the suite ran on a stand-in only (driver.test.ts)",
  });
else if (problem !== undefined)
  test("the conformance suite on a real agent", () => assert.fail(problem));
else
  storeConformance("consul", {
    capabilities: { reopen: true },
    skip: SKIPPED_RULES,
    async create() {
      const { endpoint } = await (agent ??= startAgent());
      const options = { endpoints: [endpoint], prefix: `conformance/${count++}/` };
      let store = await openConsulStore(options, { clock: systemClock });
      return {
        get store() {
          return store;
        },
        gaps: true,
        // It ends sessions by timers that begin anew with each renewal.
        expiryLagMs: 900,
        elapse: (ms) => sleep(ms),
        jumpWallClock: () => undefined,
        async reopen() {
          await store[Symbol.asyncDispose]();
          store = await openConsulStore(options, { clock: systemClock });
        },
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      };
    },
  });
