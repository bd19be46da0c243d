// SPDX-License-Identifier: Apache-2.0
// D04: what name servers may not say: that a name which lives is not there, and that a dead host has an instance.
import { atMost, tell, type Figure } from "./figure.ts";
import type { NamedHosts } from "./start-client.ts";

/** So long an answer may still name what is dead. */
const STALE_MS = 2_000;
/** Of this one some instance always runs, so that its port is always somewhere. */
const ALWAYS = "web";
/** While it moves it runs nowhere. */
const SINGLE = "one";

const within = (answers: readonly NamedHosts[], fromMs: number, toMs: number) =>
  answers.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);

/** The name of a service is there while it has an instance that lives; a port is while somebody serves it. */
export function judgeDenied(all: readonly NamedHosts[], fromMs: number, toMs: number): Figure {
  const answers = within(all, fromMs, toMs);
  const denied = answers.filter(
    ({ code, type, service }) =>
      code === "NXDOMAIN" && service !== SINGLE && (type === "A" || service === ALWAYS),
  );
  const asked = [...new Set(denied.map((one) => `${one.asked} of ${one.service}`))].join(", ");
  const value = `${denied.length} of ${answers.length}${asked === "" ? "" : ` (${asked})`}`;
  return { ...atMost("names that live and are denied", denied.length, 0), value };
}

/** What was named of a host that died then, until it was back. */
export function judgeStale(
  all: readonly NamedHosts[],
  dead: string,
  [deadMs, backMs]: readonly [number, number],
): readonly Figure[] {
  const named = within(all, deadMs, backMs).filter(({ hosts }) => hosts.includes(dead));
  const late = named.filter(({ atMs }) => atMs >= deadMs + STALE_MS);
  const lastMs = Math.max(0, ...named.map(({ atMs }) => atMs - deadMs));
  return [
    atMost("answers of DNS that name it after 2 s", late.length, 0),
    tell("last answer of DNS that names it", `after ${(lastMs / 1_000).toFixed(2)} s`),
  ];
}
