// SPDX-License-Identifier: Apache-2.0
import { TopologyDeclaration } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import type { Member } from "#topology/member.ts";

/** A member without any locality. */
export function memberNamed(name: string, joinedAtMs = 0): Member {
  return { name, locality: {}, joinedAtMs };
}

/** Members named by the letters of a text, joined in this order: `abc`. */
export function membersOf(text: string): Member[] {
  return text.split("").map((name, i) => memberNamed(name, i));
}

/** A declaration with its defaults. */
export function declare(value: unknown): TopologyDeclaration {
  return TopologyDeclaration.parse(value);
}

/** Members with names, places and ages of all sorts. */
export function arbitraryMembers(maxLength = 24): fc.Arbitrary<Member[]> {
  const locality = fc.constantFrom(
    {},
    { region: "eu", zone: "a" },
    { region: "eu", zone: "b" },
    { region: "us", latitude: 40.7, longitude: -74 },
    { region: "eu", latitude: 52.5, longitude: 13.4 },
  );
  return fc.uniqueArray(
    fc.record({
      name: fc.nat(99).map((n) => `agent-${n}`),
      locality,
      joinedAtMs: fc.nat(20),
    }),
    { maxLength, selector: ({ name }) => name },
  );
}

/** Declarations of shapes that connect everybody. */
export const arbitraryShape: fc.Arbitrary<TopologyDeclaration> = fc
  .oneof(
    fc.record(
      { kind: fc.constant("star"), hub: fc.nat(99).map((n) => `agent-${n}`) },
      { requiredKeys: ["kind"] },
    ),
    fc.record({ kind: fc.constant("ring"), directed: fc.boolean() }),
    fc.record(
      { kind: fc.constant("mesh"), degree: fc.integer({ min: 2, max: 9 }) },
      { requiredKeys: ["kind"] },
    ),
    fc.record(
      {
        kind: fc.constant("tree"),
        root: fc.nat(99).map((n) => `agent-${n}`),
        fanout: fc.integer({ min: 1, max: 4 }),
      },
      { requiredKeys: ["kind"] },
    ),
  )
  .map(declare);
