// SPDX-License-Identifier: Apache-2.0
// Authorities and certificates in files, made with openssl.
import { join } from "node:path";
import { runProgram } from "./run-program.ts";

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Makes an authority that signs itself. */
export function makeAuthority(directory: string, name: string): CertificateFiles {
  const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, "-days", "1"];
  runProgram("openssl", ["req", "-x509", ...NEW_KEY, ...subject, "-keyout", key, "-out", cert]);
  return { cert, key };
}

/** Makes a key and a certificate for it, with other names as openssl writes them: `IP:127.0.0.1`, `URI:spiffe://…`. */
export function issueCertificate(
  directory: string,
  name: string,
  {
    authority,
    names,
    days = 1,
  }: {
    readonly authority: CertificateFiles;
    readonly names: readonly string[];
    /** How long it is good; -1: until yesterday. */
    readonly days?: number;
  },
): CertificateFiles {
  const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  const request = join(directory, `${name}.csr`);
  const wanted = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names.join(",")}`];
  runProgram("openssl", ["req", "-new", ...NEW_KEY, ...wanted, "-keyout", key, "-out", request]);
  const by = ["-CA", authority.cert, "-CAkey", authority.key, "-copy_extensions", "copy"];
  runProgram("openssl", [
    "x509",
    "-req",
    "-in",
    request,
    ...by,
    "-days",
    String(days),
    "-out",
    cert,
  ]);
  return { cert, key };
}
