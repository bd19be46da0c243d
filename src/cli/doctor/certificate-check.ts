// SPDX-License-Identifier: Apache-2.0
// Certificates that have run out, that nobody renews, or that tell of a clock that differs.
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import { formatDuration } from "#base/duration.ts";
import { NODE_LEFT_MS } from "#cli/certificate-end.ts";
import { doctorErrors } from "#cli/errors.ts";
import { formatCount } from "#cli/format.ts";
import { type Check, complain, type Evidence, type Finding, pass, skip } from "./check.ts";

/** An authority of Fairlead's own is followed by another a month before it ends; the owner's is not. */
const AUTHORITY_LEFT_MS = 14 * 86_400_000;
/** No certificate of a node or a container lives longer. */
const TTL_MAX_MS = 3_600_000;
/** So far clocks may differ without harm: certificates count from an hour before they were issued. */
const SKEW_MS = 5 * 60_000;

function nameOf({ uri, instance, node }: IdentityView): string {
  const where = node === undefined ? "" : ` on ${node}`;
  return instance === undefined ? uri : `${instance}${where}`;
}

/** What is wrong with one; undefined when nothing is. */
function describe(one: IdentityView, nowMs: number): string | undefined {
  const { kind, notAfterMs, state } = one;
  const leftMs = notAfterMs - nowMs;
  const left = formatDuration(Math.abs(leftMs));
  if (leftMs <= 0) return `${nameOf(one)} has run out ${left} ago`;
  if (kind === "authority") {
    const isEnding =
      leftMs < AUTHORITY_LEFT_MS && (state === "signs" || one.madeBy?.startsWith("files of "));
    return isEnding === true ? `the authority of ${one.madeBy ?? "?"} ends in ${left}` : undefined;
  }
  if (leftMs > TTL_MAX_MS + SKEW_MS)
    return `${nameOf(one)} is good for ${left}, longer than any is made for: its clock is ahead by ${formatDuration(leftMs - TTL_MAX_MS)}`;
  if (kind === "node" && leftMs < NODE_LEFT_MS)
    return `${nameOf(one)} ends in ${left} and should have been renewed: its clock is behind, or it is stuck`;
  return undefined;
}

/** What is to be said of certificates at a time. */
export function judgeCertificates(items: readonly IdentityView[], nowMs: number): Finding {
  if (items.length === 0) return pass("no certificates");
  const lines = items.flatMap((one) => describe(one, nowMs) ?? []);
  if (lines.length === 0) return pass(`${formatCount(items.length, "certificate")} in time`);
  const text = `${formatCount(lines.length, "certificate")} not as wanted`;
  return complain("warn", doctorErrors["certificates-ending"], text, lines);
}

function checkCertificates({ identities, identitiesProblem }: Evidence): Finding {
  if (identities !== undefined) return judgeCertificates(identities, Date.now());
  if (identitiesProblem === undefined) return skip("certificates: no node to ask");
  const kind = doctorErrors["certificates-unknown"];
  return complain("warn", kind, "certificates are not known", [identitiesProblem]);
}

/** Its test. */
export const CERTIFICATE_CHECK: Check = {
  group: "node",
  name: "certificates",
  run: checkCertificates,
};
