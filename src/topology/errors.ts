// SPDX-License-Identifier: Apache-2.0
import { defineErrors } from "#base/errors.ts";

/** Kinds of error of the topology room. */
export const topologyErrors = defineErrors({
  "duplicate-member": {
    id: "FL0901",
    code: "invalid_argument",
    cause: "A topology has two members of one name",
    remedy: "give each member a name of its own",
  },
  "bad-member-name": {
    id: "FL0902",
    code: "invalid_argument",
    cause: "The name of a member is not a DNS label",
    remedy: "use at most 63 lower-case letters, digits and dashes, with no dash at either end",
  },
  "self-link": {
    id: "FL0903",
    code: "invalid_argument",
    cause: "A topology links a member to itself",
    remedy: "remove the link; a member may always call itself",
  },
  "topology-too-large": {
    id: "FL0904",
    code: "invalid_argument",
    cause: "A topology file is longer, or has more members or links, than are read",
    remedy: "split the scope, or declare a mesh with a degree in place of single links",
  },
  "bad-matrix": {
    id: "FL0905",
    code: "invalid_argument",
    cause: "An adjacency matrix is not square, or its rows and columns have different names",
    remedy: "write the names as the first row and, in the same order, as the first column",
  },
  "bad-matrix-cell": {
    id: "FL0906",
    code: "invalid_argument",
    cause: "A cell of an adjacency matrix is not 0, 1 or empty",
    remedy: "write 1 where the row's member may send to the column's, otherwise 0 or nothing",
  },
  "bad-csv": {
    id: "FL0907",
    code: "invalid_argument",
    cause: "A CSV file has a quotation mark where none may be",
    remedy: "put quotation marks around whole cells, doubled inside of them, or leave them out",
  },
  "bad-matrix-json": {
    id: "FL0908",
    code: "invalid_argument",
    cause: "A JSON file does not hold an adjacency matrix",
    remedy: "write { members: [names], matrix: [[0, 1], [1, 0]] }, see `fairlead map -o json`",
  },
  "bad-dot": {
    id: "FL0909",
    code: "invalid_argument",
    cause: "A Graphviz file does not follow the DOT language",
    remedy: "correct the place named; `graph { a -- b }` is a whole file",
  },
  "dot-unsupported": {
    id: "FL0910",
    code: "unimplemented",
    cause: "A Graphviz file uses a part of DOT that Fairlead does not read",
    remedy: "write plain links, `a -- b`, without subgraphs, ports and HTML",
  },
  "dot-direction": {
    id: "FL0911",
    code: "invalid_argument",
    cause: "A Graphviz file has an arrow in a graph, or a line in a digraph",
    remedy: "use -- in a graph and -> in a digraph",
  },
  "not-a-member": {
    id: "FL0920",
    code: "permission_denied",
    cause: "The sender or the receiver of a message is no member of the scope's topology",
    remedy: "see `fairlead map`, and which agents the topology's `members` select",
  },
  "no-link": {
    id: "FL0921",
    code: "permission_denied",
    cause: "The topology has no link between two members, and does not relay",
    remedy: "send to a neighbour, or declare the link or `relay: true`",
  },
  "no-path": {
    id: "FL0922",
    code: "permission_denied",
    cause: "No way along the links of the topology leads from the sender to the receiver",
    remedy: "see the parts with `fairlead map`, and declare a link between them",
  },
  "too-many-hops": {
    id: "FL0923",
    code: "permission_denied",
    cause: "The way along the topology is longer than a message may travel, or it ran in a loop",
    remedy: "raise `hopsMax` of the topology, or declare one with shorter ways",
  },
});
