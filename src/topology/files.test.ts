// SPDX-License-Identifier: Apache-2.0
// What is written is read again, and what is wrong is refused with its place.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AgentName } from "@fairlead/protocol/agent.ts";
import type { TopologyGraph } from "@fairlead/protocol/topology.ts";
import { TopologyDeclaration } from "@fairlead/protocol/topology.ts";
import fc from "fast-check";
import { FairleadError } from "#base/errors.ts";
import { buildTopology } from "./build.ts";
import { parseDot, renderDot } from "./dot.ts";
import { declareLayout } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { LinkSet } from "./links.ts";
import { parseMatrixCsv, parseMatrixJson, renderMatrixCsv, renderMatrixJson } from "./matrix.ts";
import { compareNames } from "./member.ts";
import { arbitraryMembers, arbitraryShape, declare, membersOf } from "./testing/arbitraries.ts";

type Parse = (text: string, file: string) => Layout;

/** `id line:column message` of the error that a text gives. */
function fail(parse: Parse, text: string): string {
  try {
    parse(text, "map.txt");
  } catch (thrown) {
    assert.ok(thrown instanceof FairleadError, String(thrown));
    const { file, line, column } = thrown.location ?? {};
    assert.equal(file, "map.txt");
    return `${thrown.kind.id} ${line ?? "-"}:${column ?? "-"} ${thrown.message}`;
  }
  return "no error";
}

const show = ({ links, directed }: Layout): string =>
  links.map(({ from, to }) => `${from}${directed ? ">" : "-"}${to}`).join(" ");

const ROUND_TRIPS: Readonly<Record<string, readonly [(graph: TopologyGraph) => string, Parse]>> = {
  CSV: [renderMatrixCsv, parseMatrixCsv],
  JSON: [renderMatrixJson, parseMatrixJson],
  Graphviz: [renderDot, parseDot],
};

/** Names that a format could take for something else, with some that agents may have. */
const arbitraryNames = fc.uniqueArray(
  fc.oneof(
    fc.constantFrom("a", "b-2", "007", "node", "graph", "strict", "subgraph", "edge", "digraph"),
    fc.string({
      minLength: 1,
      maxLength: 6,
      unit: fc.constantFrom(...Array.from('ab",;\t\n\r\\=+ -{}[]<>#/*:é\u{1F600}\uFEFF\u2028')),
    }),
    fc.constantFrom(
      'a"; b -- c; "d',
      'a\\"; b; "',
      "=1+1",
      "a,b",
      "a\nb,0,1",
      "'",
      "a//b",
      "__proto__",
    ),
    fc.string({ minLength: 1, maxLength: 8, unit: "binary" }),
  ),
  { minLength: 1, maxLength: 5 },
);

/** Each linked to the next, as a file has them: sorted. */
function linkInTurn(names: readonly string[], directed: boolean): TopologyGraph {
  const members = [...names].sort(compareNames);
  const turn = members.map((from, i) => ({ from, to: members[(i + 1) % members.length] ?? "" }));
  const links = new LinkSet(directed, turn).list();
  return { kind: "custom", directed, members, links, relay: false, hopsMax: 10 };
}

for (const [name, [render, parse]] of Object.entries(ROUND_TRIPS)) {
  test(`${name} that is written gives the same graph when read`, () => {
    fc.assert(
      fc.property(arbitraryShape, arbitraryMembers(), (shape, members) => {
        fc.pre(members.length > 0);
        const graph = buildTopology(shape, members);
        const layout = parse(render(graph), "map.txt");
        // A matrix cannot tell a ring of two each way from one without direction; CSV does not say.
        const directed = name === "CSV" && members.length < 3 ? layout.directed : graph.directed;
        assert.deepEqual(layout.members, graph.members);
        assert.equal(layout.directed, directed);
        if (directed === graph.directed) assert.deepEqual(layout.links, graph.links);
        const declaration = TopologyDeclaration.parse(declareLayout(layout));
        assert.deepEqual(buildTopology(declaration, members).links, layout.links);
      }),
    );
  });

  test(`${name} with names of any letters gives the same names, or refuses one of them by its name`, () => {
    fc.assert(
      fc.property(arbitraryNames, fc.boolean(), (names, oneWay) => {
        // A matrix does not tell two links of two members from one without direction.
        const directed = oneWay && names.length > 2;
        const graph = linkInTurn(names, directed);
        const bad = names.filter((each) => !AgentName.safeParse(each).success);
        const said = fail((text, file) => {
          const layout = parse(text, file);
          assert.deepEqual(layout.members, graph.members);
          assert.deepEqual(layout.links, graph.links);
          return layout;
        }, render(graph));
        const wanted = bad.map((each) => JSON.stringify(each));
        if (bad.length === 0) assert.equal(said, "no error");
        else
          assert.ok(
            wanted.some((each) => said.endsWith(` ${each} is no name of a member`)),
            `${said} is not of ${wanted.join()}`,
          );
      }),
      { numRuns: 2_000 },
    );
  });

  test(`${name} that is damaged is refused as an error of this room, or read`, () => {
    const text = render(buildTopology(declare({ kind: "ring" }), membersOf("abcd")));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(text.length), fc.nat(3), fc.string({ maxLength: 3 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (edits) => {
          let damaged = text;
          for (const [at, cut, put] of edits)
            damaged = damaged.slice(0, at) + put + damaged.slice(at + cut);
          const said = fail(parse, damaged);
          assert.match(said, /^(FL09\d\d |no error)/);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test(`${name} of any text is refused as an error of this room, or read`, () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: "binary" }), (text) => {
        assert.match(fail(parse, text), /^(FL09\d\d |no error)/);
      }),
      { numRuns: 1_000 },
    );
  });
}

describe("parseMatrixCsv()", () => {
  test("reads what spreadsheets write", () => {
    assert.equal(show(parseMatrixCsv(",a,b\na,0,1\nb,1,0\n", "m")), "a-b");
    assert.equal(show(parseMatrixCsv("\uFEFF;a;b\r\na;;1\r\nb;0;\r\n\r\n", "m")), "a>b");
    assert.equal(show(parseMatrixCsv('from\t"a"\tb\n"a"\t0\t"1"\nb\t\t0', "m")), "a>b");
  });

  test("says where it is wrong", () => {
    const said = (text: string): string => fail(parseMatrixCsv, text);
    assert.equal(said(",a,b\na,0,x\nb,0,0"), 'FL0906 2:5 the cell from a to b is "x"');
    assert.equal(said(",a,b\na,1,0\nb,0,0"), "FL0903 2:3 a is linked to itself");
    assert.equal(said(",a,b\nb,0,0\na,0,0"), "FL0905 2:1 the row is named b, its column a");
    assert.equal(said(",a,b\na,0\nb,0,0"), "FL0905 2:3 the row of a has 1 cells for 2 members");
    assert.equal(said(",a,b\na,0,0"), "FL0905 1:1 map.txt has 2 columns of members and 1 rows");
    assert.equal(said(""), "FL0905 1:1 map.txt has 0 columns of members and 0 rows");
    assert.equal(said(",a,a\na,0,0\na,0,0"), "FL0901 1:4 a is there twice");
    assert.equal(said(",a,B c\n"), 'FL0902 1:4 "B c" is no name of a member');
    assert.equal(said(',a\n"a,0'), "FL0907 2:1 a quotation mark is amiss");
    assert.equal(said(',a\na,0"'), "FL0907 2:3 a quotation mark is amiss");
  });

  test("does not read more members than it says", () => {
    const names = Array.from({ length: 2_001 }, (_, i) => `m${i}`);
    const text = [`,${names.join(",")}`, ...names].join("\n");
    assert.match(fail(parseMatrixCsv, text), /^FL0904 .* has 2001 members, 2000 are read$/);
  });
});

describe("parseMatrixJson()", () => {
  test("says where it is wrong", () => {
    const said = (text: string): string => fail(parseMatrixJson, text);
    assert.match(said('{"members":\n ["a",]}'), /^FL0908 -:- map\.txt is no JSON: .*"a",\]/s);
    assert.match(said('{"members":\n ["a" "b"]}'), /^FL0908 2:7 map\.txt is no JSON/);
    assert.match(said('{"members":["a"],"matrix":[[2]]}'), /^FL0908 -:- matrix\.0\.0: /);
    assert.match(said('{"members":["a"],"matrix":[[1]]}'), /^FL0903 .*a is linked to itself/);
    assert.match(said('{"members":["a"],"matrix":[]}'), /^FL0905 .*not 1 by 1/);
    assert.match(said("[]"), /^FL0908 -:- the file: /);
  });
});

describe("parseDot()", () => {
  test("reads chains, attributes, comments, quoted names, and names with dashes", () => {
    const text = `# drawn by hand
      strict graph "my agents" {
        rankdir=LR; node [shape=box, color="red"]; /* chain */
        agent-1 -- "b" -- c [label="a \\"b\\""] // rest
        d
      }`;
    const layout = parseDot(text, "m");
    assert.deepEqual(layout.members, ["agent-1", "b", "c", "d"]);
    assert.equal(show(layout), "agent-1-b b-c");
    assert.equal(show(parseDot("digraph{a->b->a}", "m")), "a>b b>a");
    assert.equal(show(parseDot("graph{a--b}", "m")), "a-b");
  });

  test("says where it is wrong", () => {
    const said = (text: string): string => fail(parseDot, text);
    assert.equal(said("graph {\n  a -> b\n}"), "FL0911 2:5 -> in a graph");
    assert.equal(said("digraph { a -- b }"), "FL0911 1:13 -- in a digraph");
    assert.equal(said("graph { a -- a }"), "FL0903 1:14 a is linked to itself");
    assert.equal(said("graph { a -- {b c} }"), "FL0910 1:14 subgraphs are not read");
    assert.equal(said("graph { subgraph x {} }"), "FL0910 1:9 subgraphs are not read");
    assert.equal(said("graph { a:n -- b }"), "FL0910 1:10 ports are not read");
    assert.equal(said("graph { <b>x</b> }"), "FL0910 1:9 HTML is not read");
    assert.equal(said("graph { a -- }"), 'FL0909 1:14 the name of a member is missing before "}"');
    assert.equal(said("graph { a"), 'FL0909 1:10 } is missing before "the end"');
    assert.equal(said("graph {} x"), 'FL0909 1:10 the end of the file is missing before "x"');
    assert.equal(said("tree {}"), 'FL0909 1:1 graph or digraph is missing before "tree"');
    assert.equal(said('graph { "a }'), "FL0909 1:9 a string without an end");
    assert.equal(said("graph { /* a }"), "FL0909 1:9 a comment without an end");
    assert.equal(said("graph { Agent_1 }"), 'FL0902 1:9 "Agent_1" is no name of a member');
  });

  test("long comments and strings cost no stack", () => {
    const long = "x".repeat(5_000_000);
    assert.equal(show(parseDot(`graph { /* ${long} */ a -- b [label="${long}"] }`, "m")), "a-b");
  });
});
