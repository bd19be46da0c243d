// SPDX-License-Identifier: Apache-2.0
// Histories that did not hold once, with what was wrong. They run in every test: what was mended stays so. A change of what
// befalls makes another history of a seed; so what was wrong has a test of its own as well where one was possible.
import type { HistoryOptions } from "./run-history.ts";

export interface OldSeed extends HistoryOptions {
  readonly was: string;
}

/** The newest last. */
export const OLD_SEEDS: readonly OldSeed[] = [
  {
    seed: 1_090,
    steps: 6,
    nodes: 2,
    was: "nobody led: an election was not answered while the key of the last leader went, and was never tried again",
  },
  {
    seed: 1_133,
    steps: 9,
    nodes: 3,
    was: "a node began a life below its last: the store had lost the roll, and its clock had been set back",
  },
  {
    seed: 2_450,
    steps: 20,
    nodes: 2,
    was: "the same; for the others it stayed suspect for good",
  },
  { seed: 100_600, steps: 20, nodes: 2, was: "the same" },
  { seed: 100_700, steps: 20, nodes: 2, was: "the same" },
  {
    seed: 200_444,
    steps: 15,
    nodes: 3,
    was: "the rule was wrong: a node that takes over another key of the fleet asks anew in the same life",
  },
  {
    seed: 200_318,
    steps: 15,
    nodes: 3,
    was: "nobody said again what was wanted: the store lost everything between the word that names it and its reading",
  },
  {
    seed: 5_110,
    steps: 5,
    nodes: 2,
    was: "nobody led: a lease that was given after a pause of the node counted only with its renewal, of which nothing told",
  },
  { seed: 2_440, steps: 5, nodes: 2, was: "the same" },
  {
    seed: 7_350,
    steps: 20,
    nodes: 2,
    was: "what a leader had decided before the store lost everything was written after it was elected anew",
  },
  {
    seed: 8,
    steps: 40,
    nodes: 5,
    was: "who had taken over another key of the fleet numbered what it said from 0 again, and was heard by nobody who had that key before",
  },
  { seed: 24, steps: 40, nodes: 5, was: "the same" },
];
