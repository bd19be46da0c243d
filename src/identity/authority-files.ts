// SPDX-License-Identifier: Apache-2.0
// An authority of the owner's own, from files: what signs, its key, and whom others believe. Whatever could make certificates that
// nobody believes is found here, before the first one is issued.
import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { FairleadError } from "#base/errors.ts";
import type { Authority } from "./authority.ts";
import { identityErrors } from "./errors.ts";

/** Paths of PEM files. */
export interface AuthorityFiles {
  /** The authority's certificate, and after it those that lead to one in `caFile`. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Who is believed; empty: the last certificate of `certFile`. */
  readonly caFile: string;
}

/** What the files say. */
export interface FileAuthority {
  readonly authority: Authority;
  /** Who is believed, PEM. */
  readonly roots: readonly string[];
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?/g;
const FILE_BYTES_MAX = 1_048_576;
const KEY_KINDS = ["prime256v1", "secp384r1"];

function refuse(file: string, reason: string, cause?: unknown): FairleadError {
  return new FairleadError(identityErrors["authority-files"], `${file} ${reason}`, {
    facts: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function readText(file: string): string {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new Error("it is above 1 MiB");
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw refuse(file, `cannot be read: ${describe(cause)}`, cause);
  }
}

function readCertificates(file: string): readonly X509Certificate[] {
  const texts = readText(file).match(CERTIFICATES) ?? [];
  if (texts.length === 0) throw refuse(file, "has no certificate in PEM");
  try {
    return texts.map((text) => new X509Certificate(text));
  } catch (cause) {
    throw refuse(file, `has a certificate that cannot be read: ${describe(cause)}`, cause);
  }
}

function readKey(file: string): KeyObject {
  const text = readText(file);
  if (/BEGIN ENCRYPTED|ENCRYPTED$/m.test(text))
    throw refuse(file, "is encrypted; a node cannot ask for its password");
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw refuse(file, `has no private key in PEM: ${describe(cause)}`, cause);
  }
}

function canSign({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): boolean {
  return (
    type === "rsa" || (type === "ec" && KEY_KINDS.includes(asymmetricKeyDetails?.namedCurve ?? ""))
  );
}

function nameOf({ subject }: X509Certificate): string {
  return subject.replaceAll("\n", ", ");
}

function formatDay(date: Date): string {
  return date.toISOString().slice(0, 16).replace("T", " ");
}

/** KeyUsage in DER, hexadecimal: its id, whether it is critical, and a string of bits, of which the sixth lets it sign certificates. */
const KEY_USAGE = /0603551d0f(?:0101ff)?040[45]030[23]0[0-7]([0-9a-f]{2})/;
const SIGNS_CERTIFICATES = 0x04;

/** A certificate that says nothing of what its key is for may do all. */
function maySign({ ca, raw }: X509Certificate): boolean {
  const bits = KEY_USAGE.exec(raw.toString("hex"))?.[1];
  return ca && (bits === undefined || (Number.parseInt(bits, 16) & SIGNS_CERTIFICATES) !== 0);
}

/** Throws for what is no authority now. */
function checkAuthority(file: string, one: X509Certificate, nowMs: number): void {
  if (!maySign(one))
    throw refuse(file, `is no authority: ${nameOf(one)} may not sign certificates`);
  if (one.validToDate.getTime() <= nowMs)
    throw refuse(file, `has run out: ${nameOf(one)} was good until ${formatDay(one.validToDate)}`);
  if (one.validFromDate.getTime() > nowMs)
    throw refuse(file, `is not good yet: ${nameOf(one)} begins ${formatDay(one.validFromDate)}`);
}

function isIssuedBy(one: X509Certificate, by: X509Certificate): boolean {
  return one.checkIssued(by) && one.verify(by.publicKey);
}

/**
 * Reads and checks them. Throws FL2001 that says which file is wrong and why: it cannot be read, is no authority's, has run out, has
 * another key, or leads to nobody who is believed.
 */
export function readAuthorityFiles(files: AuthorityFiles, nowMs: number): FileAuthority {
  const { certFile, keyFile, caFile } = files;
  if (certFile === "")
    throw refuse("identity.certFile", "is not said, and its key or its roots are");
  if (keyFile === "")
    throw refuse("identity.keyFile", `is not said, and ${certFile} needs its key`);
  const chain = readCertificates(certFile);
  const [own] = chain;
  if (own === undefined) throw refuse(certFile, "has no certificate in PEM");
  for (const one of chain) checkAuthority(certFile, one, nowMs);
  const key = readKey(keyFile);
  if (!own.checkPrivateKey(key))
    throw refuse(
      keyFile,
      `is not the key of ${certFile}, whose first certificate is ${nameOf(own)}`,
    );
  if (!canSign(key)) throw refuse(keyFile, "is neither P-256, P-384 nor RSA");
  for (const [index, one] of chain.entries()) {
    const next = chain[index + 1];
    if (next !== undefined && !isIssuedBy(one, next))
      throw refuse(certFile, `is no chain: ${nameOf(one)} is not signed by ${nameOf(next)}`);
  }
  const last = chain.at(-1) ?? own;
  const roots = caFile === "" ? [last] : readCertificates(caFile);
  for (const root of roots) checkAuthority(caFile === "" ? certFile : caFile, root, nowMs);
  if (!isIssuedBy(last, last) && caFile === "")
    throw refuse(
      certFile,
      `ends with ${nameOf(last)}, which somebody else signed; name that one in identity.caFile`,
    );
  const isRoot = (one: X509Certificate): boolean => roots.some((root) => root.raw.equals(one.raw));
  if (!isRoot(last) && !roots.some((root) => isIssuedBy(last, root)))
    throw refuse(
      certFile,
      `leads to nobody in ${caFile}: ${nameOf(last)} is signed by ${last.issuer.replaceAll("\n", ", ")}`,
    );
  const pem = (one: X509Certificate): string => one.toString();
  const leading = chain.filter((one) => !isRoot(one)).map(pem);
  return {
    authority: {
      certificate: pem(own),
      key: key.export({ format: "pem", type: "pkcs8" }).toString(),
      chain: leading,
    },
    roots: roots.map(pem),
  };
}

/** Changes when one of the files does; undefined while one of them is not there. */
export function markAuthorityFiles({
  certFile,
  keyFile,
  caFile,
}: AuthorityFiles): string | undefined {
  try {
    return [certFile, keyFile, ...(caFile === "" ? [] : [caFile])]
      .map((file) => {
        const { mtimeMs, size, ino } = statSync(file);
        return `${mtimeMs} ${size} ${ino}`;
      })
      .join();
  } catch {
    return undefined;
  }
}
