// SPDX-License-Identifier: Apache-2.0
// A container as the engine's lists tell of it, made into a fact: of what they do not tell nothing is said.
import type { InstanceFact, InstanceState } from "#model/facts.ts";
import { readIdentity, readShare } from "./documents.ts";

/** One entry of `GET /containers/json` */
export interface ListedDocument {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Image: string;
  readonly ImageID: string;
  /** s since 1970. */
  readonly Created: number;
  readonly State: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly HostConfig?: { readonly NetworkMode?: string };
  readonly NetworkSettings?: {
    readonly Networks?: Readonly<Record<string, unknown>> | null;
  };
}

/** `GET /networks/{id}` */
export interface NetworkDocument {
  readonly Name: string;
  /** By id of the container, also of one that is being started; addresses with the length of their prefix. */
  readonly Containers?: Readonly<
    Record<
      string,
      {
        readonly MacAddress?: string;
        readonly IPv4Address?: string;
        readonly IPv6Address?: string;
      }
    >
  > | null;
}

function readEndpoints(
  id: string,
  networks: readonly (NetworkDocument | undefined)[],
): NonNullable<InstanceFact["endpoints"]> {
  const present = networks.flatMap((network) => {
    const {
      MacAddress: mac = "",
      IPv4Address = "",
      IPv6Address = "",
    } = network?.Containers?.[id] ?? {};
    const addresses = [IPv4Address, IPv6Address].flatMap((text) => {
      const [address = ""] = text.split("/");
      return address === "" ? [] : [address];
    });
    return network === undefined || mac === "" ? [] : [[network.Name, { mac, addresses }] as const];
  });
  return Object.fromEntries(present);
}

/** Makes it of its entry in the list and the networks that it is to be on. */
export function toPreview(
  entry: ListedDocument,
  networks: readonly (NetworkDocument | undefined)[],
): InstanceFact {
  const endpoints = readEndpoints(entry.Id, networks);
  const names = Object.keys(entry.NetworkSettings?.Networks ?? {});
  return {
    id: entry.Id,
    // Others are what it is called where it is linked to, `/OTHER/ALIAS`.
    name: entry.Names?.find((name) => name.lastIndexOf("/") === 0)?.slice(1) ?? "",
    ...readIdentity(entry.Labels ?? {}),
    image: entry.Image,
    imageId: entry.ImageID,
    state: entry.State as InstanceState,
    health: "none",
    exitCode: 0,
    oomKilled: false,
    error: "",
    createdAtMs: entry.Created * 1_000,
    startedAtMs: 0,
    finishedAtMs: 0,
    engineRestart: "no",
    networkFrom: readShare(entry.HostConfig?.NetworkMode),
    pidFrom: undefined,
    ipcFrom: undefined,
    anonymousVolumes: [],
    addresses: Object.fromEntries(
      names.map((name) => [
        name,
        endpoints[name]?.addresses.find((one) => !one.includes(":")) ?? "",
      ]),
    ),
    endpoints,
    ports: [],
  };
}
