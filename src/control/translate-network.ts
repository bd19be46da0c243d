// SPDX-License-Identifier: Apache-2.0
// A network that spans hosts as the engine of one host is to make it: a plain bridge with this host's range.
import { formatAddress, parseBlock } from "#base/addresses.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { NetworkIntent } from "#model/intent.ts";
import { nameBridge } from "#network/plan-overlay.ts";
import type { OverlayClaim } from "./claim-overlay.ts";

const BRIDGE_OPTION = "com.docker.network.bridge.name";
const MTU_OPTION = "com.docker.network.driver.mtu";

/** The first address of a range after that of the range itself is the bridge's. */
function findGateway(text: string): string | undefined {
  const block = parseBlock(text);
  return block === undefined ? undefined : formatAddress(block.family, block.first + 1n);
}

/** What Swarm calls it too: there or not, with any value but `false`. */
const ENCRYPTED_OPTION = "encrypted";

/** Whether packets of a network are to be encrypted between hosts; undefined where its file does not say. */
export function readEncrypted({ options }: NetworkIntent): boolean | undefined {
  const text = options[ENCRYPTED_OPTION];
  return text === undefined ? undefined : text !== "false";
}

/** What the engine is asked for. */
export function translateNetwork(
  network: NetworkIntent,
  { definition, range }: OverlayClaim,
): NetworkIntent {
  const config = definition.subnets.map((Subnet, index) => {
    const IPRange = range.blocks[index];
    const Gateway = IPRange === undefined ? undefined : findGateway(IPRange);
    return {
      Subnet,
      ...(IPRange === undefined ? {} : { IPRange }),
      ...(Gateway === undefined ? {} : { Gateway }),
    };
  });
  const { [ENCRYPTED_OPTION]: _, ...options } = network.options;
  return {
    ...network,
    driver: "bridge",
    options: {
      ...options,
      [BRIDGE_OPTION]: nameBridge(definition.vni),
      [MTU_OPTION]: String(definition.mtu),
    },
    enableIpv6: definition.subnets.some((subnet) => subnet.includes(":")),
    ipam: { config },
    labels: { ...network.labels, [OWN_LABELS.overlay]: String(definition.vni) },
  };
}
