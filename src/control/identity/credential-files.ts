// SPDX-License-Identifier: Apache-2.0
// A certificate in files that one container sees. `tls` leads to a directory with all of them, and changes at once: nobody finds
// a key beside another's certificate there. The lists of what is believed no more change by themselves besides.
import { mkdir, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Credential } from "#identity/authority.ts";

/** Names of the files below the place of a container. */
export const CREDENTIAL_FILES = {
  ca: "tls/ca.pem",
  certificate: "tls/cert.pem",
  key: "tls/key.pem",
  revoked: "tls/crl.pem",
} as const;

const LINK = "tls";
const VERSION = /^\.tls-[0-9a-f]+$/;
/** Any user of the container reads them; on the host its directory keeps others out. */
const FILE_MODE = 0o444;

/** What goes with a certificate, PEM. */
export interface CredentialSurroundings {
  readonly believed: readonly string[];
  /** Lists of certificates that are believed no more. */
  readonly revoked: readonly string[];
}

/** Puts another certificate in place of the one there was; who has begun to read that one can go on. */
export async function writeCredentialFiles(
  directory: string,
  credential: Credential,
  { believed, revoked }: CredentialSurroundings,
): Promise<void> {
  const before = await readlink(join(directory, LINK)).catch(() => "");
  const version = `.tls-${credential.serial}`;
  const isAgain = version === before;
  const folder = join(directory, isAgain ? `${version}a` : version);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const around = { "ca.pem": believed.join(""), "crl.pem": revoked.join("") };
  const own = { "cert.pem": credential.certificate, "key.pem": credential.key };
  for (const [name, text] of Object.entries({ ...around, ...own }))
    await writeFile(join(folder, name), text, { mode: FILE_MODE });
  const draft = join(directory, ".tls");
  await rm(draft, { force: true });
  const target = isAgain ? `${version}a` : version;
  await symlink(target, draft);
  await rename(draft, join(directory, LINK));
  for (const name of await readdir(directory))
    if (VERSION.test(name) && name !== target && name !== before)
      await rm(join(directory, name), { recursive: true, force: true });
}

/** Puts other lists beside the certificate that is there. */
export async function writeRevokedFile(
  directory: string,
  revoked: readonly string[],
): Promise<void> {
  const path = join(directory, CREDENTIAL_FILES.revoked);
  await writeFile(`${path}.new`, revoked.join(""), { mode: FILE_MODE });
  await rename(`${path}.new`, path);
}
