// SPDX-License-Identifier: Apache-2.0
import type { PolicyProtocol } from "#model/policy.ts";
import type { NamedPort } from "./world.ts";

const PORT_LABEL = "fairlead.port";

/** Names of ports, by the label `8080/http, 53/udp`: what is spoken there is the port's name. */
export function readPorts(labels: Readonly<Record<string, string>>): readonly NamedPort[] {
  return (labels[PORT_LABEL] ?? "").split(/\s*,\s*|\s+/).flatMap((part): NamedPort[] => {
    const [, port = "", name = "tcp"] = /^(\d{1,5})(?:\/([a-z0-9-]+))?$/.exec(part) ?? [];
    if (port === "") return [];
    const protocol: PolicyProtocol = name === "udp" ? "UDP" : "TCP";
    return [{ name, protocol, port: Number(port) }];
  });
}
