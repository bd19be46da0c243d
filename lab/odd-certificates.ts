// SPDX-License-Identifier: Apache-2.0
// Certificates as nobody should write them: for tests of what is refused. Whatever is said is signed, right or wrong.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from "node:crypto";
import { BitString, Constructed, fromBER, Integer, Primitive, Utf8String } from "asn1js";
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  BasicConstraints,
  Certificate,
  Extension,
  ExtKeyUsage,
  PublicKeyInfo,
  RelativeDistinguishedNames,
  Time,
} from "pkijs";

/** An extension by its object id. */
export interface OddExtension {
  readonly id: string;
  readonly critical?: boolean;
  /** What it says, DER. */
  readonly value: Uint8Array;
}

/** What is to be written. */
export interface OddStatement {
  readonly subject: string;
  /** Who signs; itself when absent. */
  readonly by?: OddCertificate;
  /** PEM; a new one of P-256 when absent. */
  readonly key?: string;
  /** 1 has no extensions. Default 3. */
  readonly version?: 1 | 3;
  readonly extensions?: readonly OddExtension[];
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly digest?: "sha256" | "sha1" | "md5";
  /** The digest that the signed part names, where it is another one. */
  readonly digestSaid?: "sha256" | "sha1";
  /** Changes the signature's last byte. */
  readonly isForged?: boolean;
}

/** PEM both. */
export interface OddCertificate {
  readonly subject: string;
  readonly certificate: string;
  readonly key: string;
}

/** Bits of KeyUsage: the first byte. */
export const USAGES = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const;
/** Object ids of purposes. */
export const PURPOSES = {
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
  code: "1.3.6.1.5.5.7.3.3",
} as const;

const HOUR_MS = 3_600_000;
const SIGNATURES: Readonly<Record<string, string>> = {
  "ec sha256": "1.2.840.10045.4.3.2",
  "ec sha1": "1.2.840.10045.4.1",
  "rsa sha256": "1.2.840.113549.1.1.11",
  "rsa sha1": "1.2.840.113549.1.1.5",
  "rsa md5": "1.2.840.113549.1.1.4",
};
/** General names by their kind. */
const NAMES = { dns: 2, uri: 6 } as const;

const copy = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;
const bytesOf = (value: { toBER(): ArrayBuffer }): Uint8Array => new Uint8Array(value.toBER());

/** A private key, PEM: of P-256, or RSA of so many bits. */
export function makeOddKey(rsaBits?: number): string {
  const { privateKey } =
    rsaBits === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: rsaBits });
  return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
}

/** `basicConstraints`, critical. */
export function constrain(isAuthority: boolean, pathLength?: number): OddExtension {
  const said = new BasicConstraints({
    cA: isAuthority,
    ...(pathLength === undefined ? {} : { pathLenConstraint: pathLength }),
  });
  return { id: "2.5.29.19", critical: true, value: bytesOf(said.toSchema()) };
}

/** `keyUsage`, critical: the bits together. */
export function allow(bits: number): OddExtension {
  const said = new BitString({ valueHex: copy(Uint8Array.of(bits)) });
  return { id: "2.5.29.15", critical: true, value: bytesOf(said) };
}

/** `extKeyUsage`. */
export function purpose(...ids: readonly string[]): OddExtension {
  const said = new ExtKeyUsage({ keyPurposes: [...ids] });
  return { id: "2.5.29.37", value: bytesOf(said.toSchema()) };
}

function taggedName(kind: number, text: string): Primitive {
  const idBlock = { tagClass: 3, tagNumber: kind };
  return new Primitive({ idBlock, valueHex: copy(Buffer.from(text, "latin1")) });
}

function sequence(value: readonly (Primitive | Constructed)[]): Constructed {
  return new Constructed({ idBlock: { tagClass: 1, tagNumber: 16 }, value: [...value] });
}

/** `uri:…` or `dns:…` */
export type OddName = `${keyof typeof NAMES}:${string}`;

/** `subjectAltName`. */
export function nameAs(...names: readonly OddName[]): OddExtension {
  const said = names.map((name) => {
    const cut = name.indexOf(":");
    const kind = name.slice(0, cut) === "dns" ? NAMES.dns : NAMES.uri;
    return taggedName(kind, name.slice(cut + 1));
  });
  return { id: "2.5.29.17", value: bytesOf(sequence(said)) };
}

/** `nameConstraints` on the hosts of URIs, critical. */
export function constrainNames(kind: "permitted" | "excluded", host: string): OddExtension {
  const subtree = sequence([taggedName(NAMES.uri, host)]);
  const tagNumber = kind === "permitted" ? 0 : 1;
  const said = new Constructed({ idBlock: { tagClass: 3, tagNumber }, value: [subtree] });
  return { id: "2.5.29.30", critical: true, value: bytesOf(sequence([said])) };
}

function nameOf(commonName: string): RelativeDistinguishedNames {
  const value = new Utf8String({ value: commonName });
  const named = new AttributeTypeAndValue({ type: "2.5.4.3", value });
  return new RelativeDistinguishedNames({ typesAndValues: [named] });
}

function algorithmOf(key: KeyObject, digest: string): AlgorithmIdentifier {
  const algorithmId = SIGNATURES[`${key.asymmetricKeyType} ${digest}`];
  if (algorithmId === undefined) throw new Error(`no ${digest} with ${key.asymmetricKeyType}`);
  return new AlgorithmIdentifier({ algorithmId });
}

function toPem(der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** Writes and signs it. */
export function writeOdd(said: OddStatement): OddCertificate {
  const { subject, by, key = makeOddKey(), version = 3, digest = "sha256" } = said;
  const nowMs = Date.now();
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  const signer = createPrivateKey(by?.key ?? key);
  const extensions = (said.extensions ?? []).map(
    ({ id, critical = false, value }) =>
      new Extension({ extnID: id, critical, extnValue: copy(value) }),
  );
  const certificate = new Certificate({
    version: version - 1,
    serialNumber: new Integer({
      valueHex: copy(Buffer.concat([Uint8Array.of(0x40), randomBytes(15)])),
    }),
    issuer: nameOf(by?.subject ?? subject),
    subject: nameOf(subject),
    notBefore: new Time({ type: 0, value: new Date(said.notBeforeMs ?? nowMs - HOUR_MS) }),
    notAfter: new Time({ type: 0, value: new Date(said.notAfterMs ?? nowMs + HOUR_MS) }),
    subjectPublicKeyInfo: new PublicKeyInfo({ schema: fromBER(copy(publicKey)).result }),
    ...(version === 3 ? { extensions } : {}),
  });
  certificate.signature = algorithmOf(signer, said.digestSaid ?? digest);
  certificate.signatureAlgorithm = algorithmOf(signer, digest);
  certificate.tbsView = new Uint8Array(certificate.encodeTBS().toBER());
  const signed = sign(digest, certificate.tbsView, signer);
  if (said.isForged === true) signed[signed.length - 1] = (signed.at(-1) ?? 0) ^ 1;
  certificate.signatureValue = new BitString({ valueHex: copy(signed) });
  return { subject, key, certificate: toPem(certificate.toSchema(false).toBER()) };
}
