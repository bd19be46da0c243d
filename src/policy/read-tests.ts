// SPDX-License-Identifier: Apache-2.0
// Tests that stand beside policies in a file: who shall reach whom, and who shall not.
import type { Location } from "#base/errors.ts";
import type { PolicyProtocol } from "#model/policy.ts";
import type { Field, Reader } from "./document.ts";

/** One test. */
export interface PolicyTest {
  /** `web`, `shop/web` or an address. */
  readonly from: string;
  readonly to: string;
  readonly protocol: PolicyProtocol;
  /** 0 for ICMP. */
  readonly port: number;
  readonly expect: "allow" | "deny";
  readonly at: Location;
}

const PROTOCOLS = ["TCP", "UDP", "SCTP", "ICMP"] as const;
const PORT_MAX = 65_535;

/** `db:5432`, `[fd00::1]:53`, `db:53/udp`, or a name alone. */
function splitTarget(text: string): { name: string; port?: number; protocol?: string } {
  const [, bracketed, plain, port, protocol] =
    /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?(?:\/([a-z]+))?$/.exec(text) ?? [];
  const name = bracketed ?? plain ?? text;
  return {
    name: port === undefined && protocol === undefined && plain !== undefined ? text : name,
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(protocol === undefined || port === undefined ? {} : { protocol }),
  };
}

/** `can: [web, "db:5432"]` */
function readShort(reader: Reader, field: Field, expect: PolicyTest["expect"]): PolicyTest[] {
  const texts = reader.items(field).map((item) => reader.text(item) ?? "");
  const [from = "", target = ""] = texts;
  const { name, port, protocol = "tcp" } = splitTarget(target);
  const known = PROTOCOLS.find((one) => one.toLowerCase() === protocol);
  if (texts.length !== 2 || known === undefined || port === undefined || port > PORT_MAX) {
    reader.complain(field, "has to be a caller and whom it calls", '[web, "db:5432"]');
    return [];
  }
  return [{ from, to: name, protocol: known, port, expect, at: field.tree.at }];
}

function readLong(reader: Reader, field: Field): PolicyTest[] {
  const whole = reader.mapping(field, ["from", "to", "port", "protocol", "expect"]);
  if (whole === undefined) return [];
  const [from, to] = ["from", "to"].map((name) => reader.text(whole.get(name)));
  const expect = reader.text(whole.get("expect"));
  const protocol = (reader.text(whole.get("protocol")) ?? "TCP").toUpperCase();
  const known = PROTOCOLS.find((one) => one === protocol);
  const port = reader.count(whole.get("port"), PORT_MAX);
  if (from === undefined || to === undefined) reader.complain(field, "needs from and to");
  if (known === undefined) reader.complain(field, `protocol is one of ${PROTOCOLS.join(", ")}`);
  if (expect !== "allow" && expect !== "deny") reader.complain(field, "expect is allow or deny");
  if ((known === "ICMP") !== (whole.get("port") === undefined))
    reader.complain(field, known === "ICMP" ? "ICMP has no ports" : "port is missing");
  if (known === undefined || (expect !== "allow" && expect !== "deny")) return [];
  const ends = { from: from ?? "", to: to ?? "" };
  return [{ ...ends, protocol: known, port: port ?? 0, expect, at: field.tree.at }];
}

/** One item of `tests`; none when it is no test, which is then complained of. */
export function readTest(reader: Reader, field: Field): PolicyTest[] {
  const entries = field.tree.kind === "map" ? field.tree.entries : undefined;
  const word = ["can", "cannot"].find((one) => entries?.has(one));
  if (word === undefined) return readLong(reader, field);
  const inner = reader.mapping(field, [word])?.get(word);
  return inner === undefined ? [] : readShort(reader, inner, word === "can" ? "allow" : "deny");
}
