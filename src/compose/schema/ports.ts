// SPDX-License-Identifier: Apache-2.0
import { composeErrors } from "#compose/errors.ts";
import type { Findings } from "#compose/findings.ts";
import { key, listOf, number, object, text, unsupported } from "#compose/shape.ts";
import { child, map, scalar, textOf, type ListNode, type Tree } from "#compose/tree.ts";

/** The address may be empty, as `${BIND_IP}:80:80` is when nothing is set. */
const SHORT =
  /^(?:(?:(\[[0-9a-fA-F:.%]+\]|[0-9.]+|[0-9a-fA-F:]*::[0-9a-fA-F:.]*)?:)?(\d+(?:-\d+)?)?:)?(\d+)(?:-(\d+))?(?:\/([a-z]+))?$/;
const PORT_MAX = 65_535;
/** A longer range would make a container that no engine starts in reasonable time. */
const RANGE_MAX = 2_000;

interface Range {
  readonly first: number;
  readonly last: number;
}

function readRange(text: string): Range | undefined {
  const [first = 0, last = first] = text.split("-").map(Number);
  const good = first >= 0 && last >= first && last <= PORT_MAX && last - first < RANGE_MAX;
  return good ? { first, last } : undefined;
}

function expandShort(item: Tree, written: string, findings: Findings): Tree[] {
  const match = SHORT.exec(written.trim());
  const [, ip, publishedText, targetFirst = "", targetLast, protocol = "tcp"] = match ?? [];
  const target = readRange(targetLast === undefined ? targetFirst : `${targetFirst}-${targetLast}`);
  const published = publishedText === undefined ? undefined : readRange(publishedText);
  const bad =
    match === null ||
    target === undefined ||
    target.first === 0 ||
    (publishedText !== undefined && published === undefined) ||
    !["tcp", "udp", "sctp"].includes(protocol);
  if (bad) {
    findings.error(
      composeErrors["bad-value"],
      `"${written}" is not a port; write [[ip:]published:]target[/protocol] with ports from 1 to ${PORT_MAX}`,
      item.at,
    );
    return [];
  }
  const count = target.last - target.first + 1;
  const hostCount = published === undefined ? count : published.last - published.first + 1;
  if (count > 1 && hostCount !== count) {
    findings.error(
      composeErrors["bad-value"],
      `"${written}": the two ranges have to be of the same length`,
      item.at,
    );
    return [];
  }
  const address = ip?.replace(/^\[(.*)\]$/, "$1");
  return Array.from({ length: count }, (_, index) =>
    map(
      {
        mode: "ingress",
        host_ip: address,
        target: scalar(target.first + index, item.at),
        published: nameHostPort(published, publishedText, count, index),
        protocol,
      },
      item.at,
    ),
  );
}

function nameHostPort(
  published: Range | undefined,
  text: string | undefined,
  count: number,
  index: number,
): string | undefined {
  if (published === undefined) return undefined;
  return count > 1 || published.first === published.last ? String(published.first + index) : text;
}

function expandPorts(node: Tree, findings: Findings): Tree {
  if (node.kind !== "list") return node;
  const items = node.items.flatMap((item): Tree[] => {
    if (item.tag === "reset" || item.kind !== "scalar") return [item];
    const written = typeof item.value === "boolean" ? undefined : textOf(item);
    return written === undefined ? [item] : expandShort(item, written, findings);
  });
  const expanded: ListNode = { ...node, items };
  return expanded;
}

function keyOfPort(item: Tree): string {
  const part = (name: string): string => textOf(child(item, name)) ?? "";
  return `${part("host_ip")}:${part("published")}:${part("target")}/${part("protocol") || "tcp"}`;
}

/** Published ports of a service, short and long form. */
export const ports = listOf(
  object(
    {
      name: key(text(), "What people call this port; kept, without effect in the engine."),
      mode: key(
        text({ check: (t) => t === "host" || t === "ingress", form: "host or ingress" }),
        "`host` or `ingress`; the same on one engine.",
      ),
      host_ip: key(text(), "Address of the host to listen on; default all."),
      target: key(number({ integer: true, min: 1, max: PORT_MAX }), "Port in the container."),
      published: key(
        text({
          loose: "integers",
          form: `a port or a range of ports up to ${PORT_MAX}`,
          check: (t) => t === "" || (/^\d+(-\d+)?$/.test(t) && readRange(t) !== undefined),
        }),
        "Port of the host, or a range to choose from; absent lets the engine choose.",
      ),
      protocol: key(
        text({ check: (t) => ["tcp", "udp", "sctp"].includes(t), form: "tcp, udp or sctp" }),
        "`tcp`, `udp` or `sctp`; default tcp.",
      ),
      app_protocol: unsupported(
        text(),
        "Protocol spoken on the port.",
        "use the label fairlead.port, for example 8080/http",
      ),
    },
    { merge: "replace", words: "a port or a mapping" },
  ),
  { keyOf: keyOfPort, expand: expandPorts },
);
