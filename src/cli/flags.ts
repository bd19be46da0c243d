// SPDX-License-Identifier: Apache-2.0
// Flags as data: the parser, completion, help and `fairlead capabilities` read the same table.

/** What a flag's value is, for checks and for completion. */
export type FlagValue =
  | "text"
  | "sentence"
  | "file"
  | "directory"
  | "duration"
  | "time"
  | "count"
  | "scope"
  | "service"
  | "assignment"
  | readonly string[];

export interface Flag {
  /** Long name without dashes: `dry-run`. */
  readonly name: string;
  readonly short?: string;
  /** Absent: a switch. */
  readonly value?: FlagValue;
  /** May be given more than once. */
  readonly many?: boolean;
  readonly text: string;
}

const COMMON: readonly Flag[] = [
  {
    name: "output",
    short: "o",
    value: ["table", "wide", "json", "jsonl", "yaml", "name"],
    text: "form of the answer",
  },
  { name: "quiet", short: "q", text: "names only; on checks, nothing at all" },
  { name: "color", value: ["auto", "always", "never"], text: "when to use colour" },
  {
    name: "progress",
    value: ["auto", "tty", "plain", "json", "quiet"],
    text: "how progress is shown on stderr",
  },
  { name: "socket", value: "file", text: "the node's unix socket" },
];

/** Flags of every command. */
export const COMMON_FLAGS: readonly Flag[] = COMMON;

/** Flags of a command and the common ones, but for those that it has of its own under the same name. */
export function withCommonFlags(flags: readonly Flag[]): readonly Flag[] {
  return [...flags, ...COMMON.filter(({ name }) => !flags.some((own) => own.name === name))];
}

export const SCOPE_FLAGS: readonly Flag[] = [
  { name: "scope", value: "scope", text: "the scope; default: this directory's Compose project" },
  { name: "all", short: "A", text: "all scopes" },
];

export const LIST_FLAGS: readonly Flag[] = [
  { name: "watch", short: "w", text: "show changes until interrupted" },
  {
    name: "filter",
    value: "assignment",
    many: true,
    text: "KEY=VALUE; repeats of one key are OR, different keys AND",
  },
  ...SCOPE_FLAGS,
];

export const TIME_FLAGS: readonly Flag[] = [
  { name: "since", value: "time", text: "from then on: a duration ago (10m) or a time" },
  { name: "until", value: "time", text: "up to then: a duration ago or a time" },
];

export const WRITE_FLAGS: readonly Flag[] = [
  { name: "dry-run", text: "show what would be done and do nothing" },
  { name: "reason", value: "sentence", text: "why, in your words; kept in the decisions" },
];

export const WAIT_FLAGS: readonly Flag[] = [
  { name: "wait", text: "wait until all is as wanted (default)" },
  { name: "detach", short: "d", text: "do not wait" },
  { name: "timeout", value: "duration", text: "how long to wait at most (120s)" },
];

export const PROJECT_FLAGS: readonly Flag[] = [
  {
    name: "file",
    short: "f",
    value: "file",
    many: true,
    text: "Compose file; later ones are merged over earlier",
  },
  { name: "profile", value: "text", many: true, text: "active profile" },
  { name: "env-file", value: "file", many: true, text: "variables instead of .env" },
  { name: "project-name", short: "p", value: "scope", text: "name of the scope" },
  { name: "project-directory", value: "directory", text: "what relative paths start from" },
  {
    name: "allow-path",
    value: "directory",
    many: true,
    text: "a directory outside of the project that files may be read from",
  },
  { name: "scale", value: "assignment", many: true, text: "SERVICE=NUMBER of replicas" },
];
