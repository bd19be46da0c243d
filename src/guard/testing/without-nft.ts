// SPDX-License-Identifier: Apache-2.0
// Tests on a path without nft, where iptables is of one of its two kinds.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { createIptablesGuard } from "#guard/drivers/iptables/driver.ts";
import { guardConformance, type ConformanceOptions } from "#guard/guard-conformance.ts";
import { linkLackingPath } from "#lab/lacking-path.ts";
import { createXtables } from "#netfilter/xtables.ts";

/** Over nf_tables, or over the kernel's own old tables. */
export type IptablesKind = "nft" | "legacy";

/** For bridges there is only the new kind in Debian's iptables. */
function listPrograms(kind: IptablesKind): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ["iptables", "ip6tables"].flatMap((program) =>
      ["-restore", "-save", ""].map((act) => [`${program}${act}`, `${program}-${kind}${act}`]),
    ),
  ) as Readonly<Record<string, string>>;
}

/** Declares the guard's contract, and more tests, for one kind. */
export function conformWithoutNft(
  kind: IptablesKind,
  { rules, more }: Pick<ConformanceOptions, "rules" | "more">,
): void {
  describe(`without nft, by iptables-${kind}`, () => {
    const usual = process.env["PATH"];
    let directory: string;
    before(() => {
      directory = mkdtempSync(join(tmpdir(), "iptables-"));
      const programs = listPrograms(kind);
      process.env["PATH"] = linkLackingPath(directory, (name) => name === "nft", programs);
    });
    after(() => {
      process.env["PATH"] = usual;
      rmSync(directory, { recursive: true });
    });
    guardConformance(`iptables-${kind}`, {
      open: (netns) => createIptablesGuard({ xtables: createXtables(), netns }),
      spoil: ({ inside }) => void inside("iptables", "-F", "INPUT"),
      list: (run) =>
        ["iptables-save", "ip6tables-save", "ebtables-save"].flatMap((program) =>
          run(program)
            .split("\n")
            .filter((line) => line.includes("FAIRLEAD")),
        ),
      ...(rules === undefined ? {} : { rules }),
      ...(more === undefined ? {} : { more }),
    });
  });
}
