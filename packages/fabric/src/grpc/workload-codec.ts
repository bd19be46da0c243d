// SPDX-License-Identifier: Apache-2.0
// The messages of the SPIFFE Workload API that are in use
// (https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md), and DER as they carry it.
import { FabricError } from "@fairlead/fabric/errors.ts";
import { sizeVarint, WireReader, WireWriter } from "@fairlead/fabric/wire.ts";
import { splitDer } from "./der.ts";

/** Who a workload is, and whom it may believe. All DER. */
export interface WorkloadMaterial {
  /** `spiffe://harbour/shop/web` */
  readonly uri: string;
  /** Its own certificate, then those that lead to an authority. */
  readonly certificates: readonly Uint8Array[];
  /** PKCS #8. */
  readonly key: Uint8Array;
  /** Authorities that are believed. */
  readonly authorities: readonly Uint8Array[];
  /** Lists of certificates that are believed no more though their time is not over. */
  readonly revoked: readonly Uint8Array[];
}

const TAG = {
  svids: 0x0a,
  responseCrl: 0x12,
  uri: 0x0a,
  certificates: 0x12,
  key: 0x1a,
  bundle: 0x22,
  bundlesCrl: 0x0a,
  bundles: 0x12,
  mapKey: 0x0a,
  mapValue: 0x12,
} as const;

/** A field as its tag and its bytes. */
type Field = readonly [tag: number, value: Uint8Array];

function encode(fields: readonly Field[]): Buffer {
  const sizeBytes = fields.reduce(
    (sum, [, value]) => sum + 1 + sizeVarint(value.length) + value.length,
    0,
  );
  const writer = new WireWriter(Buffer.alloc(sizeBytes));
  for (const [tag, value] of fields) writer.blob(tag, value);
  return writer.bytes;
}

/** `X509SVIDResponse` */
export function encodeSvidResponse(material: WorkloadMaterial): Buffer {
  const { uri, certificates, key, authorities, revoked } = material;
  const svid = encode([
    [TAG.uri, Buffer.from(uri)],
    [TAG.certificates, Buffer.concat(certificates)],
    [TAG.key, key],
    [TAG.bundle, Buffer.concat(authorities)],
  ]);
  const lists = revoked.map((one): Field => [TAG.responseCrl, one]);
  return encode([[TAG.svids, svid], ...lists]);
}

/** `X509BundlesResponse` */
export function encodeBundlesResponse(material: WorkloadMaterial): Buffer {
  const { uri, authorities, revoked } = material;
  const trustDomain = uri.split("/").slice(0, 3).join("/");
  const bundle = encode([
    [TAG.mapKey, Buffer.from(trustDomain)],
    [TAG.mapValue, Buffer.concat(authorities)],
  ]);
  const lists = revoked.map((one): Field => [TAG.bundlesCrl, one]);
  return encode([...lists, [TAG.bundles, bundle]]);
}

function malformed(): FabricError {
  return new FabricError("invalid_argument", "the node's answer is no identity", {
    reason: "malformed",
  });
}

function readFields(bytes: Buffer): ReadonlyMap<number, readonly Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  const reader = new WireReader(bytes);
  while (reader.more) {
    const tag = reader.varint();
    if ((tag & 7) === 2) fields.set(tag, [...(fields.get(tag) ?? []), reader.blob()]);
    else reader.skip(tag);
  }
  return fields;
}

/** Reads an `X509SVIDResponse`: the first identity in it. Throws `invalid_argument` for what is none. */
export function decodeSvidResponse(bytes: Buffer): WorkloadMaterial {
  const response = readFields(bytes);
  const [svid] = response.get(TAG.svids) ?? [];
  if (svid === undefined) throw malformed();
  const fields = readFields(svid);
  const one = (tag: number): Buffer => fields.get(tag)?.[0] ?? Buffer.alloc(0);
  const certificates = splitDer(one(TAG.certificates));
  if (certificates.length === 0) throw malformed();
  return {
    uri: one(TAG.uri).toString("utf8"),
    certificates,
    key: one(TAG.key),
    authorities: splitDer(one(TAG.bundle)),
    revoked: response.get(TAG.responseCrl) ?? [],
  };
}

/** DER as PEM; `label`: `CERTIFICATE`, `PRIVATE KEY`, `X509 CRL`. */
export function renderPem(der: Uint8Array, label: string): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** All that stands in PEM, as DER. */
export function readPem(text: string): readonly Buffer[] {
  const parts = text.match(/-----BEGIN [A-Z0-9 ]+-----[^-]*-----END [A-Z0-9 ]+-----/g) ?? [];
  return parts.map((part) => Buffer.from(part.replace(/-----[^-]+-----|\s/g, ""), "base64"));
}
