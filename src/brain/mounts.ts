// SPDX-License-Identifier: Apache-2.0
// What a service's containers see of the host and of volumes, and who else may write there.
import type { InstanceFact } from "#model/facts.ts";
import type { ServiceIntent } from "#model/intent.ts";

/** `source:target:options`, as the engine takes a bind. */
function readBind(text: string): { source: string; target: string; readOnly: boolean } {
  const [source = "", target = "", options = ""] = text.split(":");
  return { source, target, readOnly: options.split(",").includes("ro") };
}

/** Where the configuration itself says what is mounted: no volume of a container before it is taken over to there. */
export function listNamedTargets(service: ServiceIntent): ReadonlySet<string> {
  const { Mounts = [], Binds = [], Tmpfs = {} } = service.container.HostConfig ?? {};
  const mounts = Mounts.filter(({ Type, Source }) => Type !== "volume" || Source);
  return new Set([
    ...mounts.map(({ Target }) => Target),
    ...Binds.map((bind) => readBind(bind).target),
    ...Object.keys(Tmpfs),
  ]);
}

/**
 * What two containers of the service would both write to, in words, or undefined. `old`: the one whose volumes without a
 * name the next one takes over.
 */
export function findSharedWrites(
  service: ServiceIntent,
  old: InstanceFact | undefined,
): string | undefined {
  const { Mounts = [], Binds = [] } = service.container.HostConfig ?? {};
  const mount = Mounts.find(
    ({ Type, Source, ReadOnly }) =>
      (Type === "volume" || Type === "bind") && ReadOnly !== true && Source,
  );
  if (mount !== undefined)
    return `${mount.Type === "bind" ? "directory" : "volume"} ${mount.Source ?? ""}`;
  const bind = Binds.map(readBind).find(({ readOnly }) => !readOnly);
  if (bind !== undefined) return `directory ${bind.source}`;
  const lender = service.volumesFrom.find(({ readOnly }) => !readOnly)?.from;
  if (lender !== undefined)
    return `the volumes of ${lender.kind === "service" ? lender.service : lender.container}`;
  const named = listNamedTargets(service);
  const kept = old?.anonymousVolumes.find(({ target }) => !named.has(target));
  return kept === undefined ? undefined : `the volume at ${kept.target}`;
}
