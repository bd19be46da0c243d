// SPDX-License-Identifier: Apache-2.0
// Graphviz in and out. Read are graphs of nodes and links; attributes are passed over; subgraphs and ports are refused.
import type { ObservedLink, TopologyGraph, TopologyLink } from "@fairlead/protocol/topology.ts";
import { readDotTokens, writeString } from "./dot-tokens.ts";
import type { DotToken } from "./dot-tokens.ts";
import { topologyErrors } from "./errors.ts";
import { checkLength, checkName, finishLayout, refuseText } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { LinkSet } from "./links.ts";

/** A graph as `dot -Tsvg` takes it; the hub is drawn as a double circle, links in use have their count. */
export function renderDot(graph: TopologyGraph, observed: readonly ObservedLink[] = []): string {
  const counts = new Map(observed.map(({ from, to, used }) => [`${from} ${to}`, used]));
  const label = ({ from, to }: TopologyLink): string => {
    const used = counts.get(`${from} ${to}`);
    return used === undefined ? "" : ` [label="${used}"]`;
  };
  const arrow = graph.directed ? "->" : "--";
  const nodes = graph.members.map((name) =>
    name === graph.hub ? `  ${writeString(name)} [shape=doublecircle];` : `  ${writeString(name)};`,
  );
  const links = graph.links.map(
    (link) => `  ${writeString(link.from)} ${arrow} ${writeString(link.to)}${label(link)};`,
  );
  const lines = [`${graph.directed ? "digraph" : "graph"} ${graph.kind} {`, ...nodes, ...links];
  return `${lines.join("\n")}\n}\n`;
}

const KEYWORDS = new Set(["graph", "digraph", "node", "edge", "subgraph", "strict"]);

class DotReader {
  readonly #tokens: Iterator<DotToken>;
  readonly #file: string;
  readonly #names = new Set<string>();
  #token: DotToken;

  constructor(text: string, file: string) {
    this.#file = file;
    this.#tokens = readDotTokens(text, file);
    this.#token = { kind: "end", text: "", line: 1, column: 1 };
    this.#next();
  }

  #next(): DotToken {
    const token = this.#token;
    const { value } = this.#tokens.next();
    if (value !== undefined) this.#token = value as DotToken;
    return token;
  }

  #fail(wanted: string): never {
    const { text } = this.#token;
    const message = `${wanted} is missing before ${JSON.stringify(text.slice(0, 40))}`;
    throw refuseText(topologyErrors["bad-dot"], message, this.#file, this.#token);
  }

  #isSign(text: string): boolean {
    return this.#token.kind === "sign" && this.#token.text === text;
  }

  #takeSign(text: string): boolean {
    const isThere = this.#isSign(text);
    if (isThere) this.#next();
    return isThere;
  }

  /** The key word at hand; DOT does not mind their case. */
  #keyword(): string | undefined {
    const word = this.#token.text.toLowerCase();
    return this.#token.kind === "id" && KEYWORDS.has(word) ? word : undefined;
  }

  #takeId(what: string): DotToken {
    if (this.#token.kind !== "id" && this.#token.kind !== "string") this.#fail(what);
    return this.#next();
  }

  #refuseUnsupported(what: string): never {
    const kind = topologyErrors["dot-unsupported"];
    throw refuseText(kind, `${what} are not read`, this.#file, this.#token);
  }

  #takeAttributes(): void {
    while (this.#takeSign("[")) {
      while (!this.#takeSign("]")) {
        this.#takeId("a name of an attribute or ]");
        if (this.#takeSign("=")) this.#takeId("a value");
        if (!this.#takeSign(",")) this.#takeSign(";");
      }
    }
  }

  #takeMember(): DotToken {
    if (this.#isSign("{") || this.#keyword() === "subgraph") this.#refuseUnsupported("subgraphs");
    const keyword = this.#keyword();
    if (keyword !== undefined) this.#fail("the name of a member");
    return this.#takeId("the name of a member");
  }

  #addMember(token: DotToken): string {
    if (this.#isSign(":")) this.#refuseUnsupported("ports");
    checkName(token.text, this.#file, token);
    this.#names.add(token.text);
    return token.text;
  }

  #takeChain(first: DotToken, links: LinkSet): void {
    let from = this.#addMember(first);
    while (this.#isSign("--") || this.#isSign("->")) {
      if (this.#isSign("->") !== links.directed) {
        const message = links.directed ? "-- in a digraph" : "-> in a graph";
        throw refuseText(topologyErrors["dot-direction"], message, this.#file, this.#token);
      }
      this.#next();
      const token = this.#takeMember();
      const to = this.#addMember(token);
      if (from === to)
        throw refuseText(
          topologyErrors["self-link"],
          `${from} is linked to itself`,
          this.#file,
          token,
        );
      links.add(from, to);
      from = to;
    }
    this.#takeAttributes();
  }

  #takeStatement(links: LinkSet): void {
    if (this.#takeSign(";")) return;
    const keyword = this.#keyword();
    if (keyword === "graph" || keyword === "node" || keyword === "edge") {
      this.#next();
      if (!this.#isSign("[")) this.#fail("[");
      this.#takeAttributes();
      return;
    }
    const first = this.#takeMember();
    if (this.#takeSign("=")) this.#takeId("a value");
    else this.#takeChain(first, links);
  }

  /** The whole file. */
  read(): Layout {
    if (this.#keyword() === "strict") this.#next();
    const keyword = this.#keyword();
    if (keyword !== "graph" && keyword !== "digraph") this.#fail("graph or digraph");
    this.#next();
    if (!this.#isSign("{")) this.#takeId("{");
    if (!this.#takeSign("{")) this.#fail("{");
    const links = new LinkSet(keyword === "digraph");
    while (!this.#takeSign("}")) {
      if (this.#token.kind === "end") this.#fail("}");
      this.#takeStatement(links);
    }
    if (this.#token.kind !== "end") this.#fail("the end of the file");
    return finishLayout(this.#names, links, this.#file);
  }
}

/** Members and links of a Graphviz file. Errors carry the line and column. */
export function parseDot(text: string, file: string): Layout {
  checkLength(text, file);
  return new DotReader(text, file).read();
}
