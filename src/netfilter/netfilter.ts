// SPDX-License-Identifier: Apache-2.0
// The kernel's packet rules through Debian's `nft`: commands as text, what stands as JSON. No shell.
import { FairleadError } from "#base/errors.ts";
import { askRules, type NetfilterOptions } from "./ask-rules.ts";
import { netfilterErrors } from "./errors.ts";
import type { RulesAnswer } from "./run-rules.ts";

const LINE_MAX = 300;
/** Where nft complains: `/dev/stdin:3:24-30: Error: words`. */
const COMPLAINT = /^(?:\/dev\/stdin|internal):(\d+):[\d-]+: Error: (.*)$/m;
const ABSENT = "No such file or directory";
const FORBIDDEN = /Operation not permitted|Permission denied/;

export type NftFamily = "ip" | "ip6" | "inet" | "bridge" | "netdev" | "arp";

/** One object of a table as nft prints it: `{ chain: { … } }`, `{ map: { … } }`, `{ rule: { … } }`. */
export type NftObject = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/**
 * Reads and changes packet rules. Keeps nothing between two calls. Throws FL1301 `netfilter-tools`, FL1302
 * `netfilter-rights`, FL1304 `netfilter-namespace`, FL0103 `timeout`, and the signal's reason.
 */
export interface Netfilter {
  /**
   * Carries out commands of nft, all or none. A command may span lines (`table inet x { … }`). No command, no process.
   * Throws FL1303 `netfilter-refused` with the words of nft and the line they are about. After a deadline or a signal
   * it is not known whether they took effect: read.
   */
  apply(commands: readonly string[], options?: NetfilterOptions): Promise<void>;
  /** All that stands in a table; undefined where there is no such table. */
  read(
    family: NftFamily,
    table: string,
    options?: NetfilterOptions,
  ): Promise<readonly NftObject[] | undefined>;
}

function refuse(answer: RulesAnswer, commands: readonly string[]): FairleadError {
  const complaint = COMPLAINT.exec(answer.stderr);
  if (FORBIDDEN.test(answer.stderr))
    return new FairleadError(
      netfilterErrors["netfilter-rights"],
      answer.stderr.split("\n")[0] ?? "",
    );
  const lineNumber = Number(complaint?.[1] ?? 0);
  const line = commands.join("\n").split("\n")[lineNumber - 1]?.trim().slice(0, LINE_MAX);
  const words = complaint?.[2] ?? answer.stderr.split("\n")[0] ?? `nft ended with ${answer.code}`;
  return new FairleadError(
    netfilterErrors["netfilter-refused"],
    line === undefined ? words : `${words}: ${line}`,
    { facts: { code: answer.code, ...(line === undefined ? {} : { "line number": lineNumber }) } },
  );
}

/** Packet rules of this host, and of network namespaces on it. */
export function createNetfilter(): Netfilter {
  return {
    async apply(commands, options = {}) {
      if (commands.length === 0) return;
      const answer = await askRules(["nft", "-f", "-"], `${commands.join("\n")}\n`, options);
      if (answer.code !== 0) throw refuse(answer, commands);
    },
    async read(family, table, options = {}) {
      const answer = await askRules(["nft", "-j", "list", "table", family, table], "", options);
      // nft ends with 1 whatever it met; only its words, which are the kernel's, tell this from a failure.
      if (answer.code !== 0 && answer.stderr.includes(ABSENT)) return undefined;
      if (answer.code !== 0) throw refuse(answer, []);
      const { nftables } = JSON.parse(answer.stdout) as { nftables: readonly NftObject[] };
      return nftables.filter((object) => !("metainfo" in object));
    },
  };
}
