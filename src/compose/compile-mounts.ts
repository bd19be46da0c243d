// SPDX-License-Identifier: Apache-2.0
// Mounts, configs and secrets of a service, as the engine takes them.
import { utf8ToBytes } from "@noble/hashes/utils.js";
import type { InlineFile, Mount } from "#model/intent.ts";
import { encodeBase64 } from "./base64.ts";
import { dropEmpty } from "./drop-empty.ts";
import type { LoadResult, Project, ServiceModel } from "./project.ts";

type Volume = NonNullable<ServiceModel["volumes"]>[number];

/** Mounts as the engine takes them. */
export interface CompiledMounts {
  readonly mounts: readonly Mount[];
  readonly binds: readonly string[];
  /** Keys of volumes that are used. */
  readonly volumes: readonly string[];
  readonly files: readonly InlineFile[];
}

/** Everything that a service sees mounted, in the order of the file. */
export function compileMounts(service: ServiceModel, loaded: LoadResult): CompiledMounts {
  const mounts: Mount[] = [];
  const binds: string[] = [];
  const keys = new Set<string>();
  for (const volume of service.volumes ?? []) {
    if (volume.type === "volume" && volume.source !== undefined) keys.add(volume.source);
    const bind = writeBind(volume);
    if (bind === undefined) mounts.push(compileMount(volume, loaded.project));
    else binds.push(bind);
  }
  const files: InlineFile[] = [];
  for (const section of ["configs", "secrets"] as const) {
    for (const use of service[section] ?? []) {
      const made = compileContent(section, use, loaded);
      if ("path" in made) files.push(made);
      else mounts.push(made);
    }
  }
  return { mounts, binds, volumes: [...keys].sort(), files };
}

/**
 * `source:target:options`, where the engine makes a missing host directory, as Compose promises. Undefined where that
 * form cannot say the same.
 */
function writeBind(volume: Volume): string | undefined {
  const { bind, source = "", target = "" } = volume;
  if (volume.type !== "bind" || source.includes(":") || target.includes(":")) return undefined;
  const exact = bind?.create_host_path === false || bind?.recursive === "disabled";
  if (exact && bind?.selinux === undefined) return undefined;
  const options = [
    volume.read_only === true ? "ro" : "rw",
    bind?.propagation,
    bind?.selinux,
    volume.consistency,
  ].filter((option) => option !== undefined);
  return `${source}:${target}:${options.join(",")}`;
}

function compileMount(volume: Volume, project: Project): Mount {
  const { type, source, target = "" } = volume;
  const declared = source === undefined ? undefined : project.volumes[source];
  const name = type === "volume" ? (declared?.name ?? source) : source;
  return dropEmpty({
    Type: type,
    Source: type === "tmpfs" ? undefined : name,
    Target: target,
    ReadOnly: volume.read_only === true ? true : undefined,
    Consistency: volume.consistency,
    BindOptions:
      type === "bind"
        ? dropEmpty({
            Propagation: volume.bind?.propagation,
            CreateMountpoint: volume.bind?.create_host_path === false ? undefined : true,
            NonRecursive: volume.bind?.recursive === "disabled" ? true : undefined,
          })
        : undefined,
    VolumeOptions:
      type === "volume"
        ? dropEmpty({
            NoCopy: volume.volume?.nocopy === true ? true : undefined,
            Labels: emptyTexts(volume.volume?.labels),
            Subpath: volume.volume?.subpath,
          })
        : undefined,
    TmpfsOptions:
      type === "tmpfs"
        ? dropEmpty({
            SizeBytes: volume.tmpfs?.size === undefined ? undefined : Number(volume.tmpfs.size),
            Mode: volume.tmpfs?.mode,
          })
        : undefined,
  });
}

function emptyTexts(
  values: Readonly<Record<string, string | null>> | undefined,
): Record<string, string> | undefined {
  if (values === undefined) return undefined;
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? ""]));
}

type Use = NonNullable<ServiceModel["configs"]>[number];

function compileContent(
  section: "configs" | "secrets",
  use: Use,
  loaded: LoadResult,
): InlineFile | Mount {
  const key = use.source ?? "";
  const found = loaded.project[section][key];
  const directory = section === "configs" ? "/" : "/run/secrets/";
  const target = use.target ?? key;
  const path = target.startsWith("/") ? target : directory + target;
  if (found?.file !== undefined) {
    return { Type: "bind", Source: found.file, Target: path, ReadOnly: true };
  }
  const inline = found !== undefined && "content" in found ? found.content : undefined;
  const content = inline ?? loaded.environment.get(found?.environment ?? "") ?? "";
  return {
    path,
    mode: use.mode ?? 0o444,
    uid: readId(use.uid),
    gid: readId(use.gid),
    content: encodeBase64(utf8ToBytes(content)),
  };
}

function readId(text: string | undefined): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
