// SPDX-License-Identifier: Apache-2.0
// What the scenarios share: a rig with a witness on the engine's socket, and a few questions to ask of it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Decision } from "@fairlead/protocol/decision.ts";
import type { ScopeView, ServiceView } from "@fairlead/protocol/views.ts";
import { openRig, until, type CliResult, type Rig, type RigOptions } from "#lab/rig.ts";
import { createSocketProxy, type SocketProxy } from "#lab/socket-proxy.ts";
import type { InstanceFact } from "#model/facts.ts";

export interface Scenario extends AsyncDisposable {
  readonly rig: Rig;
  readonly proxy: SocketProxy;
  /** Writes a Compose file and returns its path. */
  file(text: string, name?: string): string;
  /** `fairlead up -f FILE`; fails the test unless it exits with `code`. */
  up(file: string, args?: readonly string[], code?: number): Promise<CliResult>;
  /** Containers of the scope, by name. */
  instances(scope: string): Promise<readonly InstanceFact[]>;
  service(scope: string, name: string): Promise<ServiceView>;
  decisions(scope: string): Promise<readonly Decision[]>;
  /** Waits until the scope is as wanted. */
  settled(scope: string, maxMs?: number): Promise<void>;
}

/** Opens one; the node runs and sees its engine through the witness. */
export async function openScenario(options: RigOptions = {}): Promise<Scenario> {
  let proxy: SocketProxy | undefined;
  const rig = await openRig({
    ...options,
    witness: async (lab, directory) => {
      proxy = await createSocketProxy(lab.socketPath, join(directory, "witness.sock"));
      return proxy.endpoint;
    },
  });
  const witness = proxy;
  if (witness === undefined) throw new Error("the rig asked for no witness");
  async function dispose(): Promise<void> {
    await rig.endNode("SIGKILL");
    await witness?.[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  }
  try {
    await rig.startNode();
  } catch (error) {
    await dispose();
    throw error;
  }

  async function view(scope: string): Promise<ScopeView | undefined> {
    const { status, body } = await rig.ask<ScopeView>(`scopes/${scope}`);
    return status === 200 ? body : undefined;
  }

  return {
    rig,
    proxy: witness,
    file(text, name = "compose.yaml") {
      const folder = join(rig.directory, "project");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    },
    async up(file, args = [], code = 0) {
      const result = await rig.cli(["up", "-f", file, "--timeout", "60s", ...args]);
      if (result.code !== code)
        throw new Error(
          `up exited with ${result.code}, not ${code}\n${result.stdout}${result.stderr}`,
        );
      return result;
    },
    async instances(scope) {
      const all = (await rig.engine.listInstances()).filter((instance) => instance.scope === scope);
      return all.sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async service(scope, name) {
      const service = (await view(scope))?.services.find((candidate) => candidate.name === name);
      if (service === undefined) throw new Error(`no service ${name} in ${scope}`);
      return service;
    },
    async decisions(scope) {
      return (await rig.ask<{ items: Decision[] }>(`decisions?scope=${scope}&limit=500`)).body
        .items;
    },
    settled: (scope, maxMs = 60_000) =>
      until(`${scope} is as wanted`, maxMs, async () => (await view(scope))?.settled === true, 30),
    [Symbol.asyncDispose]: dispose,
  };
}
