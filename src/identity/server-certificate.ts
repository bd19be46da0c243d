// SPDX-License-Identifier: Apache-2.0
// A certificate that a server makes itself: for those who compare its fingerprint, or take it into their browser.
import { createPublicKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { BACKDATE_MS, makeKey } from "./authority.ts";

/** Both PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

/** Browsers take no longer ones from others, and a year is enough. */
const TTL_MS = 365 * 24 * 3_600_000;
const RENEW_MS = 30 * 24 * 3_600_000;

/** Makes one for names and addresses; on the key given, so that who knows it knows the next one too. */
export async function makeServerCertificate(options: {
  readonly names: readonly string[];
  readonly nowMs: number;
  readonly key?: string | undefined;
}): Promise<ServerCertificate> {
  const { names, nowMs } = options;
  const key = options.key ?? (await makeKey());
  const { writeCertificate } = await import("./x509.ts");
  const certificate = await writeCertificate(
    {
      subject: names.find((name) => isIP(name) === 0) ?? names[0] ?? "fairlead",
      publicKey: createPublicKey(key).export({ format: "der", type: "spki" }),
      isAuthority: false,
      names,
      notBeforeMs: nowMs - BACKDATE_MS,
      notAfterMs: nowMs + TTL_MS,
    },
    { key },
  );
  return { certificate, key };
}

/** Whether a certificate is for a name or an address. */
export function isCertificateOf(certificate: X509Certificate, name: string): boolean {
  const found = isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name);
  return found !== undefined;
}

/** Whether one that was made before still does: for all names, and for a month at least. */
export function isGoodFor(pem: string, names: readonly string[], nowMs: number): boolean {
  try {
    const certificate = new X509Certificate(pem);
    return (
      certificate.validToDate.getTime() - nowMs > RENEW_MS &&
      names.every((name) => isCertificateOf(certificate, name))
    );
  } catch {
    return false;
  }
}
