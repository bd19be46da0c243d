// SPDX-License-Identifier: Apache-2.0
// Commands that talk join the fabric like any program, by the public protocol.
import { FabricError, join, type Agent } from "@fairlead/sdk";
import { FairleadError, type ErrorKind } from "#base/errors.ts";
import { findPlaces } from "#config/node-files.ts";
import type { Context } from "./context.ts";
import { cliErrors } from "./errors.ts";
import { findFabricScope } from "./find-fabric-scope.ts";
import { loadNodeSettings } from "./load-node-settings.ts";

const KINDS: Readonly<Partial<Record<FabricError["code"], ErrorKind>>> = {
  not_found: cliErrors["no-agent"],
  deadline_exceeded: cliErrors["call-expired"],
};

/** What went wrong in the fabric, as an error of a command. */
function convertFabricError(thrown: unknown): unknown {
  if (!(thrown instanceof FabricError)) return thrown;
  const kind = KINDS[thrown.code] ?? cliErrors["call-failed"];
  return new FairleadError(kind, thrown.message, {
    cause: thrown,
    facts: { code: thrown.code, reason: thrown.reason, ...thrown.facts },
  });
}

/** Where a node with this host's settings has its socket for programs. */
function findFabric(context: Context): string {
  const { settings } = loadNodeSettings(context, { socket: context.socket });
  return `unix:${findPlaces(settings).fabricSocket}`;
}

/** Joins for as long as `work` runs. Throws FL0690 without a fabric, FL0691 to FL0693 for what fails in it. */
export async function withFabric<T>(
  context: Context,
  work: (agent: Agent) => Promise<T>,
): Promise<T> {
  const node = context.env["FAIRLEAD_FABRIC"] ?? findFabric(context);
  const scope = findFabricScope(context);
  let agent: Agent;
  try {
    agent = await join({ name: `cli-${process.pid}`, scope, node, tags: { face: "cli" } });
  } catch (thrown) {
    const because = FabricError.from(thrown).message;
    throw new FairleadError(cliErrors["no-fabric"], `cannot join the fabric at ${node}`, {
      cause: thrown,
      facts: { because },
    });
  }
  try {
    return await work(agent);
  } catch (thrown) {
    throw convertFabricError(thrown);
  } finally {
    await agent[Symbol.asyncDispose]();
  }
}
