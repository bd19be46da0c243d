// SPDX-License-Identifier: Apache-2.0
import type { AnswerContext } from "#discovery/dns/answer-query.ts";
import { createZone } from "#discovery/dns/zone.ts";

/** What a query is answered from: `web.shop` with more instances than one datagram has room for. */
export function buildAnswerContext(): AnswerContext {
  const zone = createZone();
  const ports = [{ name: "http", port: 80, protocol: "tcp" as const }];
  const members = Array.from({ length: 40 }, (_, i) => ({
    label: `${i}`,
    addresses: [`10.0.0.${i}`],
    ports,
  }));
  zone.put({ scope: "shop", name: "web", members });
  return { zone, transport: "udp", recursion: true, ttlSeconds: 2, negativeTtlSeconds: 1, turn: 0 };
}
