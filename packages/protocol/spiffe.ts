// SPDX-License-Identifier: Apache-2.0
// Names of workloads as certificates carry them (https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md).

/** Parts of `spiffe://trust-domain/segment/segment`. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly segments: readonly string[];
}

const SCHEME = "spiffe://";
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^(?!\.{1,2}$)[a-zA-Z0-9._-]+$/;
const BYTES_MAX = 2_048;

/** The parts of an id; undefined for what is none. */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (!text.startsWith(SCHEME) || text.length > BYTES_MAX) return undefined;
  const [trustDomain = "", ...segments] = text.slice(SCHEME.length).split("/");
  const isOne =
    TRUST_DOMAIN.test(trustDomain) &&
    trustDomain.length <= 255 &&
    segments.every((segment) => SEGMENT.test(segment));
  return isOne ? { trustDomain, segments } : undefined;
}

/**
 * The one URI among a certificate's other names (`URI:spiffe://…, DNS:…`), when it is a SPIFFE id; undefined where there is
 * none, or more than one URI: such a certificate is nobody's.
 */
export function readSpiffeId(subjectAltName: string | undefined): string | undefined {
  const uris = (subjectAltName ?? "").split(", ").filter((name) => name.startsWith("URI:"));
  const [uri = ""] = uris.map((name) => name.slice("URI:".length));
  return uris.length === 1 && parseSpiffeId(uri) !== undefined ? uri : undefined;
}
