// SPDX-License-Identifier: Apache-2.0
// The certificate of the API: that of the settings, or where others than this host may reach it one that the node makes itself.
import { X509Certificate } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { isLoopback, type ApiTls } from "#api/listeners.ts";
import type { Clock } from "#base/clock.ts";
import { baseErrors, FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { findPlaces, locateNodeFiles } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";
import { isGoodFor, makeServerCertificate } from "#identity/server-certificate.ts";
import type { TlsReader } from "./listen-for-page.ts";

interface Parts {
  readonly settings: Settings;
  readonly clock: Pick<Clock, "nowMs">;
  readonly logger: Logger;
}

async function readOr<T>(path: string, otherwise: T): Promise<string | T> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return otherwise;
    throw new FairleadError(baseErrors["invalid-argument"], `cannot read ${path}`, { cause });
  }
}

/** What this host is called, and all its addresses. */
function listOwnNames({ nodeName }: Pick<Settings, "nodeName">, host: string): readonly string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    // Addresses of one link alone come with its name, which no certificate has.
    .filter(({ family, scopeid }) => family === "IPv4" || scopeid === 0)
    .map(({ address }) => address);
  const own = host === "0.0.0.0" || host === "::" ? addresses : [host, "127.0.0.1", "::1"];
  return [...new Set([hostname(), nodeName, "localhost", ...own])];
}

async function keep(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** One that is made once, and anew on its key when names come to it or its time is nearly over. */
async function makeOwn(
  { settings, clock, logger }: Parts,
  names: readonly string[],
): Promise<ApiTls> {
  const nowMs = clock.nowMs();
  const { apiCertificate, apiKey } = locateNodeFiles(findPlaces(settings));
  const [before, key] = [await readOr(apiCertificate, ""), await readOr(apiKey, undefined)];
  if (key !== undefined && isGoodFor(before, names, nowMs)) return { certificate: before, key };
  const made = await makeServerCertificate({ names, nowMs, key });
  await keep(apiKey, made.key);
  await keep(apiCertificate, made.certificate);
  const { fingerprint256 } = new X509Certificate(made.certificate);
  logger.info("made a certificate for the API", { file: apiCertificate, sha256: fingerprint256 });
  return made;
}

/**
 * Makes what gives the certificate as it is now. Names that come to the host while the node runs change none, so that networks of
 * containers come and go without a word.
 */
export function createTlsReader(parts: Parts): TlsReader {
  const names = new Map<string, readonly string[]>();
  return (host) => {
    const own = names.get(host) ?? listOwnNames(parts.settings, host);
    names.set(host, own);
    return openApiTls(parts, host, own);
  };
}

/** Undefined where only this host reaches the API and the settings name no certificate. Throws for files that cannot be read. */
export async function openApiTls(
  parts: Parts,
  host: string,
  names = listOwnNames(parts.settings, host),
): Promise<ApiTls | undefined> {
  const { certFile, keyFile } = parts.settings.api;
  if (certFile === "" && keyFile === "")
    return isLoopback(host) ? undefined : makeOwn(parts, names);
  const read = async (path: string): Promise<string> => {
    const text = await readOr(path, undefined);
    if (text !== undefined) return text;
    throw new FairleadError(
      baseErrors["invalid-argument"],
      `there is no ${path === "" ? "api.keyFile" : path}`,
    );
  };
  return { certificate: await read(certFile), key: await read(keyFile) };
}
