// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from "node:crypto";
import type { Api } from "#api/create-api.ts";
import type { ApiTls } from "#api/listeners.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";

/** Gives the certificate as it is now: each time anew. */
export type TlsReader = (host: string) => Promise<ApiTls | undefined>;

interface PageParts {
  readonly api: Pick<Api, "listenTcp">;
  readonly readTls: TlsReader;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Listener = Awaited<ReturnType<Api["listenTcp"]>>;

/** How often is looked whether the certificate is another. */
const LOOK_MS = 5_000;

/** Shows the certificate that the files have, until the signal aborts; what cannot be used is said once and not taken. */
async function followTls(
  listener: Listener,
  before: ApiTls,
  { readTls, host, clock, logger }: Omit<PageParts, "api"> & { readonly host: string },
  signal: AbortSignal,
): Promise<void> {
  let shown = before;
  let problem = "";
  while (!signal.aborted) {
    await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    if (signal.aborted) break;
    try {
      const next = await readTls(host);
      const isSame = next?.certificate === shown.certificate && next.key === shown.key;
      if (next === undefined || isSame) continue;
      listener.replaceTls(next);
      shown = next;
      problem = "";
      const { fingerprint256, validTo } = new X509Certificate(next.certificate);
      logger.info("the API shows another certificate", { sha256: fingerprint256, until: validTo });
    } catch (thrown) {
      const { message } = FairleadError.from(thrown);
      // Two files are written one after the other: only what stays wrong is worth a word.
      if (problem !== message)
        logger.warn("the API's new certificate is not taken", { reason: message });
      problem = message;
    }
  }
}

/** Opens the page's listener where the settings say, until the stack is disposed of; its address, or undefined for `off`. */
export async function listenForPage(
  listen: string,
  parts: PageParts,
  stack: AsyncDisposableStack,
): Promise<string | undefined> {
  if (listen === "off") return undefined;
  const at = listen.lastIndexOf(":");
  const host = listen.slice(0, at).replace(/^\[|\]$/g, "");
  const tls = await parts.readTls(host);
  const listener = await parts.api.listenTcp(host, Number(listen.slice(at + 1)), tls);
  if (tls !== undefined) {
    const stopping = new AbortController();
    const following = followTls(listener, tls, { ...parts, host }, stopping.signal);
    stack.defer(async () => {
      stopping.abort();
      await following;
    });
  }
  return listener.origin;
}
