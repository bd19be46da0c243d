// SPDX-License-Identifier: Apache-2.0
// Networks and volumes of the project, and how a service is joined to networks.
import { hashValue } from "#base/canonical-json.ts";
import type {
  Attachment,
  NetworkIntent,
  NetworkMode,
  SharedNamespace,
  SourceRef,
  VolumeIntent,
} from "#model/intent.ts";
import { toTexts } from "./compile-host-config.ts";
import { dropEmpty } from "./drop-empty.ts";
import type { LoadResult, ServiceModel } from "./project.ts";

/** `service:db` and `container:x`; undefined for anything else. */
export function readShared(text: string | null | undefined): SharedNamespace | undefined {
  const [, kind, name = ""] = /^(service|container):(.+)$/.exec(text ?? "") ?? [];
  if (kind === "service") return { kind, service: name };
  return kind === "container" ? { kind, container: name } : undefined;
}

/** The key under which a network of the engine that no file declares stands in the intent. */
function keyOfForeign(name: string): string {
  return `engine:${name}`;
}

/** Where a service's network namespace comes from. */
export function compileNetworkMode(service: ServiceModel): NetworkMode {
  const mode = service.network_mode;
  const shared = readShared(mode);
  if (shared !== undefined) return shared;
  if (mode === "host" || mode === "none" || mode === "bridge") return { kind: mode };
  if (mode === "default") return { kind: "bridge" };
  if (mode !== undefined)
    return { kind: "networks", attachments: [{ network: keyOfForeign(mode) }] };
  const joins = Object.entries(service.networks ?? { default: null });
  const weight = (key: string): readonly [number, number] => {
    const join = service.networks?.[key];
    return [join?.gw_priority ?? 0, join?.priority ?? 0];
  };
  joins.sort(([a], [b]) => {
    const [gatewayA, priorityA] = weight(a);
    const [gatewayB, priorityB] = weight(b);
    return gatewayB - gatewayA || priorityB - priorityA || (a < b ? -1 : 1);
  });
  return {
    kind: "networks",
    attachments: joins.map(([key, join]) => compileAttachment(key, join)),
  };
}

type Join = NonNullable<ServiceModel["networks"]>[string];

function compileAttachment(network: string, join: Join): Attachment {
  return dropEmpty({
    network,
    aliases: [...(join?.aliases ?? [])].sort(),
    ipv4Address: join?.ipv4_address,
    ipv6Address: join?.ipv6_address,
    linkLocalIps: [...(join?.link_local_ips ?? [])].sort(),
    macAddress: join?.mac_address,
    driverOptions: { ...join?.driver_opts },
  });
}

/** The networks that services use; a declared one that none uses is not made, as in Compose. */
export function compileNetworks(loaded: LoadResult, used: ReadonlySet<string>): NetworkIntent[] {
  const declared = Object.keys(loaded.project.networks).filter((key) => used.has(key));
  const foreign = [...used].filter((key) => key.startsWith("engine:"));
  return [
    ...declared.map((key) => compileNetwork(loaded, key)),
    ...foreign.map((key) => compileForeign(key)),
  ].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function compileForeign(key: string): NetworkIntent {
  const name = key.slice("engine:".length);
  const bare = { options: {}, internal: false, attachable: false, enableIpv6: false, labels: {} };
  return { key, name, external: true, ...bare, hash: hashValue({ name, external: true }) };
}

function compileNetwork(loaded: LoadResult, key: string): NetworkIntent {
  const network = loaded.project.networks[key];
  const at = toSourceRef(loaded.origins.find(["networks", key]));
  const ipam = compileIpam(network?.ipam);
  const name = network?.name ?? key;
  const external = network?.external === true;
  const effect = {
    name,
    external,
    driver: network?.driver ?? "bridge",
    options: { ...network?.driver_opts },
    internal: network?.internal ?? false,
    attachable: network?.attachable ?? false,
    enableIpv6: network?.enable_ipv6 ?? false,
    ...(ipam === undefined ? {} : { ipam }),
  };
  const { driver, ...rest } = effect;
  return {
    key,
    ...rest,
    ...(network?.driver === undefined ? {} : { driver }),
    labels: toTexts(network?.labels),
    ...(at === undefined ? {} : { at }),
    // Labels change nothing that a service sees, and a network is only changed by taking every instance off it.
    hash: hashValue(external ? { name, external } : effect),
  };
}

type Ipam = NonNullable<NonNullable<LoadResult["project"]["networks"][string]>["ipam"]>;

function compileIpam(ipam: Ipam | undefined): NetworkIntent["ipam"] {
  if (ipam === undefined) return undefined;
  const config = (ipam.config ?? []).map((pool) =>
    dropEmpty({
      Subnet: pool.subnet,
      IPRange: pool.ip_range,
      Gateway: pool.gateway,
      AuxiliaryAddresses: { ...pool.aux_addresses },
    }),
  );
  const driver = ipam.driver === "default" ? undefined : ipam.driver;
  const options = ipam.options === undefined ? {} : { options: { ...ipam.options } };
  if (config.length === 0 && driver === undefined && ipam.options === undefined) return undefined;
  return { ...(driver === undefined ? {} : { driver }), ...options, config };
}

/** The volumes that services use. */
export function compileVolumes(loaded: LoadResult, used: ReadonlySet<string>): VolumeIntent[] {
  const keys = Object.keys(loaded.project.volumes).filter((key) => used.has(key));
  return keys.sort().map((key) => {
    const volume = loaded.project.volumes[key];
    const at = toSourceRef(loaded.origins.find(["volumes", key]));
    const name = volume?.name ?? key;
    const external = volume?.external === true;
    const options = { ...volume?.driver_opts };
    return {
      key,
      name,
      external,
      ...(volume?.driver === undefined ? {} : { driver: volume.driver }),
      options,
      labels: toTexts(volume?.labels),
      ...(at === undefined ? {} : { at }),
      hash: hashValue(
        external ? { name, external } : { name, driver: volume?.driver ?? "local", options },
      ),
    };
  });
}

/** A place as the protocol has it. */
function toSourceRef(at: SourceRef | undefined): SourceRef | undefined {
  return at === undefined ? undefined : { ...at };
}
