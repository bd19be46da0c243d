// SPDX-License-Identifier: Apache-2.0
// The page's pure parts, without a browser.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  createDecision,
  createDecisions,
  createServices,
  createStatus,
} from "#api/testing/fake-data.ts";
import {
  formatAge,
  formatDuration,
  formatPort,
  formatSize,
  stripControls,
} from "../../packages/web/src/format.ts";
import {
  applyEvent,
  describeEvents,
  isSeen,
  mergeDecisions,
  STARTING,
} from "../../packages/web/src/state.ts";

const READY = {
  ...STARTING,
  status: createStatus(0, ""),
  services: createServices(0),
  decisions: createDecisions(10_000_000),
};

describe("stripControls", () => {
  it("removes colours, titles, cursor moves and bells, and keeps text and tabs", () => {
    assert.equal(
      stripControls("\u001B[1;31mred\u001B[0m\tand \u001B]0;title\u0007plain\u0007"),
      "red\tand plain",
    );
    assert.equal(stripControls("\u001B[2J\u001B[H\u009B31mx\rover"), "31mxover");
  });

  it("leaves no control character in any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const left = Array.from(stripControls(text)).filter((char) => {
          const code = char.codePointAt(0) ?? 0;
          return (code < 32 && code !== 9 && code !== 10) || (code >= 127 && code < 160);
        });
        assert.deepEqual(left, []);
      }),
    );
  });
});

describe("formats", () => {
  it("durations, ages and sizes are short and have units", () => {
    assert.deepEqual([231, 4_200, 59_000, 61_000, 7_500_000, 300_000_000].map(formatDuration), [
      "231 ms",
      "4.2 s",
      "59 s",
      "1 min",
      "2 h 5 min",
      "3 d",
    ]);
    assert.deepEqual(
      [0, 4_900, 90_000].map((age) => formatAge(0, age)),
      ["just now", "4 s ago", "1 min ago"],
    );
    assert.deepEqual([0, 999, 1_843_200, 53_000_000].map(formatSize), [
      "0 B",
      "999 B",
      "1.8 MB",
      "53 MB",
    ]);
  });

  it("a port that is open to everybody says so", () => {
    const port = { hostPort: 80, containerPort: 8_080, protocol: "tcp" };
    assert.equal(formatPort({ ...port, hostIp: "0.0.0.0" }), "*:80 → 8080/tcp");
    assert.equal(formatPort({ ...port, hostIp: "::1" }), "[::1]:80 → 8080/tcp");
  });
});

describe("applyEvent", () => {
  it("replaces a service in its place and adds one that is new", () => {
    const [web] = READY.services;
    assert.ok(web);
    const changed = applyEvent(READY, {
      kind: "service",
      atMs: 1,
      service: { ...web, state: "degraded" },
    });
    assert.deepEqual(
      changed.services?.map((one) => one.name),
      READY.services.map((one) => one.name),
    );
    assert.equal(changed.services?.[0]?.state, "degraded");
    const added = applyEvent(READY, {
      kind: "service",
      atMs: 1,
      service: { ...web, scope: "other" },
    });
    assert.equal(added.services?.length, READY.services.length + 1);
  });

  it("the same event twice is the same as once", () => {
    const event = { kind: "decision", atMs: 1, decision: createDecision("dec_Z", 1) } as const;
    const once = applyEvent(READY, event);
    assert.deepEqual(applyEvent(once, event), once);
    assert.equal(once.decisions?.[0]?.id, "dec_Z");
  });

  it("decisions stay sorted and bounded in any order of arrival", () => {
    const ids = fc.array(fc.integer({ min: 0, max: 2_000 }), { maxLength: 700 });
    fc.assert(
      fc.property(ids, (numbers) => {
        const list = numbers.map((one) =>
          createDecision(`dec_${String(one).padStart(6, "0")}`, one),
        );
        const merged = mergeDecisions([], list).map((one) => one.id);
        assert.deepEqual(
          merged,
          [...new Set(list.map((one) => one.id))].toSorted().toReversed().slice(0, 500),
        );
      }),
      { numRuns: 20 },
    );
  });

  it("a resolved alert goes", () => {
    const [alert] = READY.status.alerts;
    assert.ok(alert);
    const state = applyEvent(READY, { kind: "alert", atMs: 1, alert, resolved: true });
    assert.deepEqual(state.status?.alerts, []);
  });
});

describe("describeEvents", () => {
  it("says two titles and counts the rest; a pending decision is not yet worth saying", () => {
    const events = [1, 2, 3, 4].map((one) => ({
      kind: "decision" as const,
      atMs: one,
      decision: createDecision(`dec_${one}`, one, {
        title: `restarted ${one}`,
        outcome: one === 1 ? "pending" : "done",
      }),
    }));
    assert.equal(describeEvents(events), "restarted 2. restarted 3. and 1 more decisions");
  });
});

describe("isSeen", () => {
  it("an empty list of an engine that was never read is not none", () => {
    const { asOfMs: _, ...engine } = READY.status.engine;
    const status = { ...READY.status, engine: { ...engine, reachable: false } };
    assert.equal(isSeen({ ...READY, status, services: [] }), false);
    assert.equal(isSeen({ ...READY, services: [] }), true);
  });
});
