// SPDX-License-Identifier: Apache-2.0
// Writes X.509 certificates, which node:crypto can only read. Loaded when the first one is issued: the library takes a while.
import { createHash, createPrivateKey, randomBytes, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { Integer, fromBER, OctetString, BitString, Utf8String } from "asn1js";
import {
  AltName,
  AttributeTypeAndValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  GeneralName,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from "pkijs";
import { parseAddress } from "#base/addresses.ts";

/** What a certificate says. */
export interface Statement {
  /** Common name, for people. */
  readonly subject: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly isAuthority: boolean;
  /** `spiffe://…` */
  readonly uri?: string;
  /** Host names and IP addresses. */
  readonly names?: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Who signs. */
export interface Signer {
  /** Private key, PEM. */
  readonly key: string;
  /** Its certificate, PEM; absent where a certificate signs itself. */
  readonly certificate?: string;
}

/** Object ids. */
export const OID = {
  commonName: "2.5.4.3",
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  altName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;
/** Bits of KeyUsage, from the left, with how many at the end do not count. */
const USAGE = { digitalSignature: [0x80, 7], signCertificates: [0x06, 1] } as const;
/** Keys that may sign, by kind and curve. */
const KEYS = new Map([
  ["ec prime256v1", { algorithm: { name: "ECDSA", namedCurve: "P-256" }, hash: "SHA-256" }],
  ["ec secp384r1", { algorithm: { name: "ECDSA", namedCurve: "P-384" }, hash: "SHA-384" }],
  ["rsa", { algorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, hash: "SHA-256" }],
]);
const SERIAL_BYTES = 16;
/** General names by their kind. */
const NAME = { dns: 2, uri: 6, ip: 7 } as const;
const PATH_LENGTH = 1;

/** A copy of the bytes, as the library takes them. */
export function toBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function nameOf(commonName: string): RelativeDistinguishedNames {
  const value = new Utf8String({ value: commonName });
  return new RelativeDistinguishedNames({
    typesAndValues: [new AttributeTypeAndValue({ type: OID.commonName, value })],
  });
}

/** An extension of a certificate or a list. */
export function extend(
  extnID: string,
  value: { toBER(): ArrayBuffer },
  critical = false,
): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() });
}

/** By RFC 7093: the first 160 bits of the SHA-256 of the key. */
function keyIdOf(publicKey: Uint8Array): OctetString {
  const digest = createHash("sha256").update(publicKey).digest().subarray(0, 20);
  return new OctetString({ valueHex: toBuffer(digest) });
}

/** The id that an authority's certificate gives its key; what is signed has to say the same. */
export function readKeyId(authority: Certificate): OctetString {
  const said = authority.extensions?.find(({ extnID }) => extnID === OID.subjectKeyId);
  const parsed: unknown = said?.parsedValue;
  if (parsed instanceof OctetString) return parsed;
  return keyIdOf(new Uint8Array(authority.subjectPublicKeyInfo.toSchema().toBER()));
}

/** An address as four or sixteen bytes. */
function writeAddress(text: string): Uint8Array {
  const { family, value } = parseAddress(text) ?? { family: 4, value: 0n };
  const digits = value.toString(16).padStart(family === 4 ? 8 : 32, "0");
  return Buffer.from(digits, "hex");
}

function listNames({ uri, names = [] }: Statement): GeneralName[] {
  const uris = uri === undefined ? [] : [new GeneralName({ type: NAME.uri, value: uri })];
  const others = names.map((name) => {
    if (isIP(name) === 0) return new GeneralName({ type: NAME.dns, value: name });
    const value = new OctetString({ valueHex: toBuffer(writeAddress(name)) });
    return new GeneralName({ type: NAME.ip, value });
  });
  return [...uris, ...others];
}

function listExtensions(said: Statement, authority: Certificate | undefined): Extension[] {
  const { isAuthority } = said;
  const [bits, unusedBits] = isAuthority ? USAGE.signCertificates : USAGE.digitalSignature;
  const usage = new BitString({ valueHex: toBuffer(Uint8Array.of(bits)), unusedBits });
  const constraints = new BasicConstraints(
    isAuthority ? { cA: true, pathLenConstraint: PATH_LENGTH } : { cA: false },
  );
  const purposes = new ExtKeyUsage({ keyPurposes: [OID.serverAuth, OID.clientAuth] });
  const names = new AltName({ altNames: listNames(said) });
  const issuer = new AuthorityKeyIdentifier({
    keyIdentifier: authority === undefined ? keyIdOf(said.publicKey) : readKeyId(authority),
  });
  return [
    extend(OID.basicConstraints, constraints.toSchema(), true),
    extend(OID.keyUsage, usage, true),
    ...(isAuthority ? [] : [extend(OID.extKeyUsage, purposes.toSchema())]),
    extend(OID.altName, names.toSchema()),
    extend(OID.subjectKeyId, keyIdOf(said.publicKey)),
    extend(OID.authorityKeyId, issuer.toSchema()),
  ];
}

function makeSerial(): ArrayBuffer {
  const bytes = randomBytes(SERIAL_BYTES);
  // Positive, and as long as it says.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return toBuffer(bytes);
}

function toPem(der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** A key that signs, with the digest that goes with it. */
export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly hash: string;
}

/** A private key as WebCrypto has it. Throws for one that signs no certificates here. */
export async function importKey(pem: string): Promise<SigningKey> {
  const key = createPrivateKey(pem);
  const kind =
    `${key.asymmetricKeyType ?? ""} ${key.asymmetricKeyDetails?.namedCurve ?? ""}`.trim();
  const known = KEYS.get(kind);
  if (known === undefined) throw new TypeError(`a key of ${kind} cannot sign certificates here`);
  const der = key.export({ format: "der", type: "pkcs8" });
  const { algorithm, hash } = known;
  const imported = await webcrypto.subtle.importKey("pkcs8", toBuffer(der), algorithm, false, [
    "sign",
  ]);
  return { key: imported, hash };
}

/** Signs a certificate; returns it as PEM. Throws TypeError for a signer's key that is neither P-256, P-384 nor RSA. */
export async function writeCertificate(said: Statement, signer: Signer): Promise<string> {
  const { key, hash } = await importKey(signer.key);
  const authority =
    signer.certificate === undefined
      ? undefined
      : Certificate.fromBER(toBuffer(new X509Certificate(signer.certificate).raw));
  const subject = nameOf(said.subject);
  const certificate = new Certificate({
    version: 2,
    serialNumber: new Integer({ valueHex: makeSerial() }),
    issuer: authority?.subject ?? subject,
    subject,
    notBefore: new Time({ type: 0, value: new Date(said.notBeforeMs) }),
    notAfter: new Time({ type: 0, value: new Date(said.notAfterMs) }),
    subjectPublicKeyInfo: new PublicKeyInfo({
      schema: fromBER(toBuffer(said.publicKey)).result,
    }),
    extensions: listExtensions(said, authority),
  });
  await certificate.sign(key, hash);
  return toPem(certificate.toSchema(true).toBER());
}
