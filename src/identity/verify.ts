// SPDX-License-Identifier: Apache-2.0
import type { X509Certificate } from "node:crypto";
import { maySign } from "@fairlead/fabric/grpc/der.ts";
import { parseSpiffeId, readSpiffeId, type SpiffeId } from "@fairlead/protocol/spiffe.ts";
import { FairleadError } from "#base/errors.ts";
import { identityErrors } from "./errors.ts";

function refuse(reason: string, facts: Record<string, string> = {}): FairleadError {
  return new FairleadError(identityErrors["certificate-refused"], reason, { facts });
}

/** Where nodes stand in the ids of a fleet. */
const NODE_SEGMENTS = ["fairlead", "node"];

/** `spiffe://harbour/fairlead/node/node-a` */
export function nodeUri(trustDomain: string, name: string): string {
  return `spiffe://${[trustDomain, ...NODE_SEGMENTS, name].join("/")}`;
}

/** `spiffe://harbour/shop/web` */
export function serviceUri(trustDomain: string, scope: string, service: string): string {
  return `spiffe://${[trustDomain, scope, service].join("/")}`;
}

/**
 * Whose certificate it is. The chain and the time are checked by who asks. Throws FL2002 for one that is an authority's, that has no
 * SPIFFE id or a second URI, or that is of another trust domain.
 */
function readHolder(certificate: X509Certificate, trustDomain: string): SpiffeId {
  if (certificate.ca || maySign(certificate.raw))
    throw refuse("the certificate is that of an authority");
  const uri = readSpiffeId(certificate.subjectAltName);
  const id = uri === undefined ? undefined : parseSpiffeId(uri);
  if (uri === undefined || id === undefined) throw refuse("the certificate has no SPIFFE id");
  if (id.trustDomain !== trustDomain)
    throw refuse(`the certificate is of ${uri}, and not of ${trustDomain}`);
  return id;
}

/** The name of the node whose certificate it is. Throws FL2002, also for an agent's. */
export function readNodeName(certificate: X509Certificate, trustDomain: string): string {
  const { segments } = readHolder(certificate, trustDomain);
  const [first, second, name, ...rest] = segments;
  const isNode = first === NODE_SEGMENTS[0] && second === NODE_SEGMENTS[1] && rest.length === 0;
  if (name !== undefined && isNode) return name;
  throw refuse(`the certificate is of ${segments.join("/")}, which is no node`);
}
