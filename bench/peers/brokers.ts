// SPDX-License-Identifier: Apache-2.0
// What stands between the ends of some subjects: servers of peers, the node's hub.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openHub } from "@fairlead/fabric/testing/open-hub.ts";
import { makeAuthority } from "../../src/identity/authority.ts";

export interface Broker extends AsyncDisposable {
  /** What its clients are told; empty when there is none. */
  readonly address: string;
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until somebody listens at a port. */
async function awaitPort(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const open = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (open) return;
    await sleep(50);
  }
  throw new Error(`nobody listens at port ${port}`);
}

async function openServer(program: string, args: readonly string[], port: number) {
  const server = spawn(program, args, { stdio: "ignore" });
  const ended = once(server, "exit");
  await Promise.race([
    awaitPort(port),
    ended.then(([code]) => Promise.reject(new Error(`${program} ended with ${code}`))),
  ]);
  return async () => {
    server.kill("SIGTERM");
    await ended;
  };
}

async function openNats(): Promise<Broker> {
  const port = await findPort();
  const args = ["-a", "127.0.0.1", "-p", String(port)];
  const stop = await openServer("nats-server", args, port);
  return { address: `nats://127.0.0.1:${port}`, [Symbol.asyncDispose]: stop };
}

async function openMosquitto(): Promise<Broker> {
  const port = await findPort();
  const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
  const file = join(directory, "mosquitto.conf");
  // Without bounds, so that it drops nothing; with them a fast publisher would be measured by what was lost.
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "max_queued_messages 0",
    "max_inflight_messages 0",
    "set_tcp_nodelay true",
    "log_type none",
  ];
  writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o644 });
  const stop = await openServer("/usr/sbin/mosquitto", ["-c", file], port);
  return {
    address: `mqtt://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A hub, and a directory with an authority for its ends: `ADDRESS#DIRECTORY`. */
async function openHubWithCertificates(): Promise<Broker> {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
  const made = await makeAuthority({ trustDomain: "bench", nowMs: Date.now() });
  writeFileSync(join(directory, "ca.crt"), made.certificate);
  writeFileSync(join(directory, "ca.key"), made.key, { mode: 0o600 });
  const hub = await openHub();
  return {
    address: `${hub.address}#${directory}`,
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Starts what a subject needs between its ends. */
export async function openBroker(subject: string): Promise<Broker> {
  if (subject === "fairlead-mtls") return openHubWithCertificates();
  if (subject.startsWith("fairlead")) return openHub();
  if (subject === "nats") return openNats();
  if (subject === "mqtt") return openMosquitto();
  return { address: "", [Symbol.asyncDispose]: () => Promise.resolve() };
}
