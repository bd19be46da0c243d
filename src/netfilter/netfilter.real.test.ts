// SPDX-License-Identifier: Apache-2.0
// The rules of namespaces of this test's own, through Debian's nft.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { baseErrors, isKind } from "#base/errors.ts";
import { createNamespace } from "../../lab/engine.ts";
import { openLedger, type Ledger } from "../../lab/ledger.ts";
import type { NetfilterOptions } from "./ask-rules.ts";
import { netfilterErrors } from "./errors.ts";
import { createNetfilter } from "./netfilter.ts";
import { quoteText, spellName } from "./spell-name.ts";
import { watchLosses } from "./watch-losses.ts";

describe("netfilter", () => {
  const netfilter = createNetfilter();
  let ledger: Ledger;
  let inside: NetfilterOptions;
  before(() => {
    ledger = openLedger();
    createNamespace(ledger, `${ledger.tag}-nf`);
    inside = { netns: `/run/netns/${ledger.tag}-nf` };
  });
  after(() => ledger.clear());

  it("makes a table, reads it, and says that another is not there", async () => {
    const chain = spellName("service", 'shop/"web"; flush ruleset');
    await netfilter.apply(
      [
        "table inet fairlead_test {",
        `chain ${chain} {`,
        `ip daddr 192.0.2.1 accept comment ${quoteText("a word")}`,
        "}",
        "}",
      ],
      inside,
    );
    const objects = await netfilter.read("inet", "fairlead_test", inside);
    assert.deepEqual(
      objects?.map((object) => Object.keys(object)[0]),
      ["table", "chain", "rule"],
    );
    assert.equal(objects?.[1]?.["chain"]?.["name"], chain);
    assert.equal(await netfilter.read("inet", "fairlead_none", inside), undefined);
    assert.equal(await netfilter.read("inet", "fairlead_test"), undefined);
  });

  it("does nothing at all where one command is wrong, and names its line", async () => {
    const commands = [
      "add table inet fairlead_half",
      "add chain inet fairlead_half a",
      "add rule inet fairlead_half a jump nowhere",
    ];
    await assert.rejects(netfilter.apply(commands, inside), (error) => {
      assert.ok(isKind(error, netfilterErrors["netfilter-refused"]));
      assert.match(
        error.message,
        /No such file or directory: add rule inet fairlead_half a jump nowhere/,
      );
      assert.equal(error.facts["line number"], 3);
      return true;
    });
    assert.equal(await netfilter.read("inet", "fairlead_half", inside), undefined);
    await assert.rejects(netfilter.apply(["add tible x"], inside), /syntax error.*add tible x/);
  });

  it("takes ten thousand elements at once", async () => {
    const elements = Array.from({ length: 10_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    await netfilter.apply(
      [
        "add table inet fairlead_large",
        "add set inet fairlead_large many { type ipv4_addr; }",
        `add element inet fairlead_large many { ${elements.join(", ")} }`,
      ],
      inside,
    );
    const objects = await netfilter.read("inet", "fairlead_large", inside);
    const stands = objects?.find((object) => "set" in object)?.["set"]?.["elem"];
    assert.equal(Array.isArray(stands) ? stands.length : undefined, 10_000);
  });

  it("watches for lost tables no longer than it can, or is wanted", async () => {
    const list = (signal: AbortSignal, netns = inside.netns) =>
      Array.fromAsync(watchLosses("fairlead", signal, netns));
    const stop = new AbortController();
    assert.deepEqual(await list(stop.signal, "/run/netns/fairlead-nowhere"), []);
    const watching = list(stop.signal);
    stop.abort();
    assert.deepEqual(await watching, []);
    assert.deepEqual(await list(stop.signal), []);
  });

  it("says which: no namespace, a deadline, a caller that gave up", async () => {
    const gone = { netns: "/run/netns/fairlead-nowhere" };
    await assert.rejects(netfilter.read("inet", "x", gone), (error) =>
      isKind(error, netfilterErrors["netfilter-namespace"]),
    );
    await assert.rejects(netfilter.read("inet", "x", { ...inside, deadlineMs: 0 }), (error) =>
      isKind(error, baseErrors.timeout),
    );
    const signal = AbortSignal.abort(new Error("enough"));
    await assert.rejects(netfilter.read("inet", "x", { ...inside, signal }), /enough/);
  });
});
