// SPDX-License-Identifier: Apache-2.0
// The certificates that are believed no more as X.509 lists, one of each authority whose key this node has.
import type { Clock } from "#base/clock.ts";
import { issueRevokedList } from "#identity/authority.ts";
import type { Signing } from "./issuer.ts";
import type { Revocations } from "./revocations.ts";

/** Lists in DER; another mark: they are others. */
export interface RevokedLists {
  readonly mark: string;
  readonly lists: readonly Uint8Array[];
}

/** Long before a list ends. */
const RENEW_MS = 24 * 3_600_000;

/** Makes what writes them: anew when something else is revoked, when other authorities are believed, and once a day. */
export function createRevokedLists(
  revocations: Pick<Revocations, "list">,
  clock: Pick<Clock, "nowMs">,
): { read(signing: Signing): Promise<RevokedLists> } {
  let mark = "";
  let current: Promise<RevokedLists> = Promise.resolve({ mark, lists: [] });

  async function write(named: string, { signers }: Signing): Promise<RevokedLists> {
    const revoked = revocations.list();
    const nowMs = clock.nowMs();
    const all = signers.map((one) => issueRevokedList(one, revoked, nowMs));
    return { mark: named, lists: await Promise.all(all) };
  }

  return {
    read(signing) {
      const next = [
        Math.floor(clock.nowMs() / RENEW_MS),
        ...signing.signers.map(({ certificate }) => certificate),
        ...revocations.list().map(({ serial }) => serial),
      ].join("\n");
      if (next !== mark) {
        mark = next;
        current = write(next, signing).catch((thrown: unknown) => {
          mark = "";
          throw thrown;
        });
      }
      return current;
    },
  };
}
