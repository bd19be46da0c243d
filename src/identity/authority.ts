// SPDX-License-Identifier: Apache-2.0
// Who vouches for nodes and agents: makes itself, hands on to a next one, and issues certificates that live for an hour.
import {
  createHash,
  createPublicKey,
  generateKeyPair,
  X509Certificate,
  type KeyObject,
} from "node:crypto";
import { promisify } from "node:util";
import type { Signer, Statement } from "./x509.ts";

/** An authority with its key. All PEM. */
export interface Authority {
  readonly certificate: string;
  readonly key: string;
  /** Certificates that lead from it to one that others believe: of the authority before it, or of who stands above it. */
  readonly chain: readonly string[];
}

/** A certificate with its key. All PEM. */
export interface Credential {
  /** With all that leads to the authority that is believed. */
  readonly certificate: string;
  readonly key: string;
  /** `spiffe://…` */
  readonly uri: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** Which key it is: see `hashKey`. */
  readonly keyHash: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** How long an authority lives. It is changed by people, or when so much is left of it as a leaf may live. */
const AUTHORITY_TTL_MS = 365 * 24 * 3_600_000;
/** How long a certificate of a node or an agent lives; it is renewed when half of it is over. */
export const CREDENTIAL_TTL_MS = 3_600_000;
/** A certificate counts from so long before it was issued, for hosts whose clocks are behind. */
export const BACKDATE_MS = 3_600_000;

const makeKeyPair = promisify(generateKeyPair);

/** Makes a key of P-256, PEM. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await makeKeyPair("ec", { namedCurve: "P-256" });
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

function exportPublic(key: KeyObject): Buffer {
  return key.export({ format: "der", type: "spki" });
}

/** SHA-256 of a certificate's public key, base64url: it stays the same when the certificate is renewed on its key. */
export function hashKey(certificate: X509Certificate): string {
  return createHash("sha256").update(exportPublic(certificate.publicKey)).digest("base64url");
}

/** The library takes a while to load, and most commands issue nothing. */
async function write(said: Statement, signer: Signer): Promise<string> {
  const { writeCertificate } = await import("./x509.ts");
  return writeCertificate(said, signer);
}

/** Makes an authority for ids that begin with `spiffe://TRUST-DOMAIN/`. With one before it, who believes that believes this. */
export async function makeAuthority(options: {
  readonly trustDomain: string;
  readonly nowMs: number;
  readonly before?: Authority | undefined;
}): Promise<Authority> {
  const { trustDomain, nowMs, before } = options;
  const key = await makeKey();
  const publicKey = exportPublic(createPublicKey(key));
  const mark = createHash("sha256").update(publicKey).digest("hex").slice(0, 8);
  const said = {
    // Chains are found by these names: each authority needs one of its own.
    subject: `${trustDomain} authority ${mark}`,
    publicKey,
    isAuthority: true,
    uri: `spiffe://${trustDomain}`,
    notBeforeMs: nowMs - BACKDATE_MS,
    notAfterMs: nowMs + AUTHORITY_TTL_MS,
  };
  const certificate = await write(said, { key });
  const chain = before === undefined ? [] : [await write(said, before)];
  return { certificate, key, chain };
}

/** What a certificate is issued for. */
export interface CredentialRequest {
  readonly uri: string;
  /** The holder's key, PEM. */
  readonly key: string;
  readonly nowMs: number;
  /** How long it lives, an hour by default and at most. */
  readonly ttlMs?: number;
  /** Names in DNS by which others call the holder. */
  readonly dnsNames?: readonly string[];
}

/** Issues a certificate for an id, on a key of the caller's. */
export async function issueCredential(
  authority: Authority,
  request: CredentialRequest,
): Promise<Credential> {
  const { uri, key, nowMs, ttlMs = CREDENTIAL_TTL_MS, dnsNames = [] } = request;
  const own = new X509Certificate(authority.certificate);
  const notBeforeMs = Math.max(nowMs - BACKDATE_MS, own.validFromDate.getTime());
  const notAfterMs = Math.min(
    nowMs + Math.min(ttlMs, CREDENTIAL_TTL_MS),
    own.validToDate.getTime(),
  );
  const said = {
    subject: uri.slice(uri.lastIndexOf("/") + 1),
    publicKey: exportPublic(createPublicKey(key)),
    isAuthority: false,
    uri,
    names: dnsNames,
    notBeforeMs,
    notAfterMs,
  };
  const leaf = await write(said, authority);
  const read = new X509Certificate(leaf);
  return {
    certificate: [leaf, ...authority.chain].join(""),
    key,
    uri,
    serial: read.serialNumber.toLowerCase(),
    keyHash: hashKey(read),
    notBeforeMs: read.validFromDate.getTime(),
    notAfterMs: read.validToDate.getTime(),
  };
}

/** A list lasts so long; what stands on it has run out before. */
const LIST_TTL_MS = 7 * 24 * 3_600_000;

/** Writes an authority's list of certificates that are believed no more, as DER. A later one has to be of a later time. */
export async function issueRevokedList(
  authority: Authority,
  revoked: readonly { readonly serial: string; readonly revokedAtMs: number }[],
  nowMs: number,
): Promise<Uint8Array> {
  const { writeList } = await import("./x509-list.ts");
  const thisUpdateMs = nowMs - BACKDATE_MS;
  const said = { revoked, number: nowMs, thisUpdateMs, nextUpdateMs: nowMs + LIST_TTL_MS };
  return writeList(said, authority);
}
