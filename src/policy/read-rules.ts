// SPDX-License-Identifier: Apache-2.0
import { contains, parseBlock } from "#base/addresses.ts";
import type { Location } from "#base/errors.ts";
import type { PolicyPeer, PolicyPort } from "#model/policy.ts";
import type { Field, Reader } from "./document.ts";
import { EVERYTHING, readSelector } from "./read-selector.ts";

const PROTOCOLS = ["TCP", "UDP", "SCTP", "ICMP"] as const;
/** As IANA has names of services: at least one letter, no dash at either end and no two in a row. */
const PORT_NAME = /^(?=.*[a-z])(?!.*--)[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?$/;
const PORT_MAX = 65_535;

/** A rule with its place. */
export interface ReadRule {
  readonly peers: PolicyPeer[];
  readonly ports: PolicyPort[];
  readonly at: Location;
}

function readBlock(reader: Reader, field: Field): PolicyPeer[] {
  const whole = reader.mapping(field, ["cidr", "except"]);
  if (whole === undefined) return [];
  const cidrField = whole.get("cidr");
  const cidr = reader.text(cidrField);
  const block = parseBlock(cidr ?? "");
  if (block === undefined) {
    reader.complain(
      cidrField ?? field,
      cidr === undefined ? "cidr is missing" : `"${cidr}" is no block of addresses`,
      "write the first address of the block and its length: 10.0.0.0/8",
    );
    return [];
  }
  const except = reader.items(whole.get("except")).map((item) => {
    const text = reader.text(item) ?? "";
    const inner = parseBlock(text);
    if (inner === undefined) reader.complain(item, `"${text}" is no block of addresses`);
    else if (!contains(block, inner) || inner.prefix === block.prefix)
      reader.complain(item, `${text} is no part of ${cidr ?? ""}`);
    return text;
  });
  return [{ kind: "block", block: cidr ?? "", except }];
}

function readPeer(reader: Reader, field: Field): PolicyPeer[] {
  const whole = reader.mapping(field, ["podSelector", "namespaceSelector", "ipBlock"]);
  if (whole === undefined) return [];
  const [pods, scopes, block] = ["podSelector", "namespaceSelector", "ipBlock"].map((name) =>
    whole.get(name),
  );
  if (block !== undefined) {
    if (pods !== undefined || scopes !== undefined)
      reader.complain(field, "ipBlock stands alone: no podSelector or namespaceSelector beside it");
    return readBlock(reader, block);
  }
  if (pods === undefined && scopes === undefined) {
    reader.complain(
      field,
      "names nobody",
      "write podSelector, namespaceSelector or ipBlock; {} as a selector is everybody",
    );
    return [];
  }
  return [
    {
      kind: "instances",
      ...(scopes === undefined ? {} : { scopes: readSelector(reader, scopes) }),
      instances: pods === undefined ? EVERYTHING : readSelector(reader, pods),
    },
  ];
}

function readPortValue(reader: Reader, field: Field | undefined): number | string | undefined {
  if (field?.tree.kind !== "scalar" || typeof field.tree.value !== "string")
    return reader.count(field, PORT_MAX);
  const { value } = field.tree;
  if (PORT_NAME.test(value)) return value;
  reader.complain(field, `"${value}" is neither a number from 1 to ${PORT_MAX} nor a port's name`);
  return undefined;
}

function readPort(reader: Reader, field: Field): PolicyPort[] {
  const whole = reader.mapping(field, ["protocol", "port", "endPort"]);
  if (whole === undefined) return [];
  const protocolField = whole.get("protocol");
  const named = protocolField === undefined ? "TCP" : reader.text(protocolField);
  const protocol = PROTOCOLS.find((one) => one === named);
  const [portField, endField] = [whole.get("port"), whole.get("endPort")];
  const port = readPortValue(reader, portField);
  const endPort = reader.count(endField, PORT_MAX);
  if (protocol === undefined && protocolField !== undefined)
    reader.complain(protocolField, `has to be one of ${PROTOCOLS.join(", ")}`);
  if (protocol === "ICMP" && portField !== undefined)
    reader.complain(portField, "ICMP has no ports");
  if (endField !== undefined && typeof port !== "number")
    reader.complain(endField, "needs a port that is a number");
  else if (endField !== undefined && endPort !== undefined && Number(port) > endPort)
    reader.complain(endField, `is below the port, which is ${port}`);
  if (protocol === undefined) return [];
  return [
    {
      protocol,
      ...(port === undefined ? {} : { port }),
      ...(endPort === undefined ? {} : { endPort }),
    },
  ];
}

/** One item of `ingress` or `egress`; none when it is no rule at all. */
export function readRules(
  reader: Reader,
  field: Field,
  direction: "ingress" | "egress",
): ReadRule[] {
  const peers = direction === "ingress" ? "from" : "to";
  const whole = reader.mapping(field, [peers, "ports"]);
  if (whole === undefined) return [];
  return [
    {
      peers: reader.items(whole.get(peers)).flatMap((item) => readPeer(reader, item)),
      ports: reader.items(whole.get("ports")).flatMap((item) => readPort(reader, item)),
      at: whole.at,
    },
  ];
}
