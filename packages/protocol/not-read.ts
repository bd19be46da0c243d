// SPDX-License-Identifier: Apache-2.0

/** What is said of an engine, or of other nodes, between the start of a node and its first answer from there. */
export const NOT_READ = "not read yet";
