// SPDX-License-Identifier: Apache-2.0
// Packet rules for hosts without nft: Debian's iptables package, by whose programs a whole table of one family changes at once.
// It does not matter which of its two kinds they are, for the kernel's old tables or for nf_tables. No shell.
import { FairleadError } from "#base/errors.ts";
import { askRules, type NetfilterOptions } from "./ask-rules.ts";
import { netfilterErrors } from "./errors.ts";
import type { RulesAnswer } from "./run-rules.ts";

/** `bridge` is ebtables. */
export type XtFamily = "ip" | "ip6" | "bridge";

const PREFIXES = { ip: "iptables", ip6: "ip6tables", bridge: "ebtables" } as const;
/** So long another program's change is waited for, s. */
const LOCK_SECONDS = 5;
const LINE_MAX = 300;
const LINE = /line:? (\d+)/;
const FORBIDDEN = /Operation not permitted|Permission denied|must be root/;

/** Reads and changes tables `filter`. Keeps nothing between two calls. Throws as `Netfilter`. */
export interface Xtables {
  /**
   * Changes the table by lines as `iptables-restore` reads them, without `*filter` and `COMMIT`: all of them or none. What they do not
   * name stays. No line, no process. Throws FL1303 `netfilter-refused`. After a deadline or a signal it is not known whether they
   * took effect: read.
   */
  apply(family: XtFamily, lines: readonly string[], options?: NetfilterOptions): Promise<void>;
  /** What stands in the table, as lines of `iptables-save -c` without comments. */
  read(family: XtFamily, options?: NetfilterOptions): Promise<readonly string[]>;
}

function refuse(
  program: string,
  { stderr, code }: RulesAnswer,
  lines: readonly string[],
): FairleadError {
  const words = stderr.split("\n").filter((one) => one !== "" && !one.startsWith("#"));
  const first = words.slice(0, 2).join(" ");
  if (FORBIDDEN.test(stderr)) return new FairleadError(netfilterErrors["netfilter-rights"], first);
  // The first line is the table's.
  const lineNumber = Number(LINE.exec(stderr)?.[1] ?? 0) - 1;
  const line = lines[lineNumber - 1]?.slice(0, LINE_MAX);
  return new FairleadError(
    netfilterErrors["netfilter-refused"],
    `${first === "" ? `${program} ended with ${code}` : first}${line === undefined ? "" : `: ${line}`}`,
    { facts: { code, ...(line === undefined ? {} : { "line number": lineNumber }) } },
  );
}

/** Packet rules of this host, and of network namespaces on it. */
export function createXtables(): Xtables {
  return {
    async apply(family, lines, options = {}) {
      if (lines.length === 0) return;
      const program = `${PREFIXES[family]}-restore`;
      const isBridge = family === "bridge";
      const flags = isBridge ? [] : ["-w", String(LOCK_SECONDS)];
      const text = ["*filter", ...lines, ...(isBridge ? [] : ["COMMIT"]), ""].join("\n");
      const answer = await askRules([program, "--noflush", ...flags], text, options);
      if (answer.code !== 0) throw refuse(program, answer, lines);
    },
    async read(family, options = {}) {
      const program = `${PREFIXES[family]}-save`;
      const command = family === "bridge" ? [program] : [program, "-c", "-t", "filter"];
      const answer = await askRules(command, "", options);
      if (answer.code !== 0) throw refuse(program, answer, []);
      const lines = answer.stdout.split("\n");
      const isTable = (line: string): boolean => line.startsWith("*");
      // ebtables prints all tables that there are.
      const begin = lines.indexOf("*filter") + 1;
      if (begin === 0) return [];
      const end = lines.findIndex((line, index) => index >= begin && isTable(line));
      return lines
        .slice(begin, end === -1 ? undefined : end)
        .filter((line) => line !== "" && !line.startsWith("#") && line !== "COMMIT");
    },
  };
}
