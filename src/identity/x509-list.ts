// SPDX-License-Identifier: Apache-2.0
// Writes X.509 lists of revoked certificates (RFC 5280, 5). Loaded when the first one is written.
import { X509Certificate } from "node:crypto";
import { Integer } from "asn1js";
import {
  AuthorityKeyIdentifier,
  Certificate,
  CertificateRevocationList,
  Extensions,
  RevokedCertificate,
  Time,
} from "pkijs";
import { extend, importKey, OID, readKeyId, toBuffer, type Signer } from "./x509.ts";

/** What a list says. */
export interface ListStatement {
  readonly revoked: readonly { readonly serial: string; readonly revokedAtMs: number }[];
  /** Grows with each list of an authority. */
  readonly number: number;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
}

const VERSION_2 = 1;
const OID_NUMBER = "2.5.29.20";

function toInteger(hexadecimal: string): Integer {
  const even = hexadecimal.length % 2 === 0 ? hexadecimal : `0${hexadecimal}`;
  const bytes = Buffer.from(even, "hex");
  // Positive: a first bit that is set would say otherwise.
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
  return new Integer({ valueHex: toBuffer(padded) });
}

const toTime = (ms: number): Time => new Time({ type: 0, value: new Date(ms) });

/** Signs a list; returns it as DER. Throws TypeError for a signer's key that is neither P-256, P-384 nor RSA. */
export async function writeList(
  said: ListStatement,
  signer: Required<Signer>,
): Promise<Uint8Array> {
  const { key, hash } = await importKey(signer.key);
  const authority = Certificate.fromBER(toBuffer(new X509Certificate(signer.certificate).raw));
  const issuer = new AuthorityKeyIdentifier({ keyIdentifier: readKeyId(authority) });
  const revoked = said.revoked.map(
    ({ serial, revokedAtMs }) =>
      new RevokedCertificate({
        userCertificate: toInteger(serial),
        revocationDate: toTime(revokedAtMs),
      }),
  );
  const list = new CertificateRevocationList({
    version: VERSION_2,
    issuer: authority.subject,
    thisUpdate: toTime(said.thisUpdateMs),
    nextUpdate: toTime(said.nextUpdateMs),
    ...(revoked.length === 0 ? {} : { revokedCertificates: revoked }),
    crlExtensions: new Extensions({
      extensions: [
        extend(OID.authorityKeyId, issuer.toSchema()),
        extend(OID_NUMBER, toInteger(said.number.toString(16))),
      ],
    }),
  });
  await list.sign(key, hash);
  return new Uint8Array(list.toSchema(true).toBER());
}
