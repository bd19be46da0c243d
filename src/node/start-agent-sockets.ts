// SPDX-License-Identifier: Apache-2.0
// The guarded Docker APIs of this node's agents, where the engine is on this host.
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import {
  createAgentSockets,
  type AgentSockets,
  type AgentSocketsOptions,
} from "#control/agent-sockets.ts";
import type { Engine } from "#engine/engine.ts";
import { openDockerSocket } from "#warden/open-socket.ts";

type Parts = Omit<AgentSocketsOptions, "open" | "enginePath" | "directory"> & {
  readonly settings: Settings;
  readonly engine: Engine;
};

const UNIX = "unix://";

/** Makes their keeper; undefined where the engine is on another host. */
export function startAgentSockets(
  { settings, engine, ...rest }: Parts,
  stack: AsyncDisposableStack,
): AgentSockets | undefined {
  if (!engine.endpoint.startsWith(UNIX)) return undefined;
  const directory = locateNodeFiles(findPlaces(settings)).dockerSockets;
  const enginePath = engine.endpoint.slice(UNIX.length);
  return stack.use(createAgentSockets({ ...rest, open: openDockerSocket, enginePath, directory }));
}
