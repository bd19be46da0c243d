// SPDX-License-Identifier: Apache-2.0
// Volumes that Fairlead made on this host, asked of the engine itself: scopes that are down have them too, and no node tells.
import type { NodeStatus } from "@fairlead/protocol/views.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { World } from "./context.ts";
import { openEngineFor } from "./doctor/ask-engine.ts";
import { formatCount } from "./format.ts";

export interface OwnVolume {
  readonly name: string;
  readonly scope: string;
}

const USUAL_ENDPOINT = "unix:///var/run/docker.sock";

/** Sorted by scope, then by name. Throws what the engine says. */
export async function listOwnVolumes(
  { env }: Pick<World, "env">,
  { engine: { endpoint } }: Pick<NodeStatus, "engine">,
): Promise<readonly OwnVolume[]> {
  await using engine = openEngineFor("", endpoint, env);
  const volumes = await engine.listVolumes();
  return volumes
    .flatMap(({ name, labels }) => {
      const scope = labels[OWN_LABELS.scope];
      return scope === undefined ? [] : [{ name, scope }];
    })
    .sort((a, b) => (`${a.scope}/${a.name}` < `${b.scope}/${b.name}` ? -1 : 1));
}

/** Says which of them stay, and the command that removes them. */
export function tellKept(
  volumes: readonly OwnVolume[],
  { engine: { endpoint } }: Pick<NodeStatus, "engine">,
): readonly string[] {
  if (volumes.length === 0) return [];
  const names = volumes.map(({ name }) => name);
  const docker = endpoint === USUAL_ENDPOINT ? "docker" : `docker -H ${endpoint}`;
  return [
    `kept ${formatCount(names.length, "volume")} with data: ${names.join(", ")}; what removes that too:`,
    `  ${docker} volume rm ${names.join(" ")}`,
  ];
}
