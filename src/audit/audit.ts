// SPDX-License-Identifier: Apache-2.0
// The face of the audit room: what was done to this node and by it, in lines that cannot be changed unseen.

/** What a line is about. */
export type AuditKind = "api" | "login" | "refused" | "decision" | "verdict" | "docker" | "audit";

/** What somebody did. Never a secret: no bodies, no query strings, no values of variables. */
export interface AuditEntry {
  readonly kind: AuditKind;
  /** Who: `uid 0 by unix socket`, `token`, `agent shop/researcher`, `automatic`. */
  readonly actor: string;
  /** What, in one line: `PUT /v1/scopes/shop/intent`. */
  readonly what: string;
  /** `asked` before it is done; then how it ended: `200`, `done`, `refused`. */
  readonly outcome: string;
  /** What else is known, short: at most 20 facts, each of at most 300 characters. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** An entry with its place in the chain. */
export interface AuditLine extends AuditEntry {
  /** Counts from 1, without gaps. */
  readonly seq: number;
  readonly atMs: number;
  /** SHA-256 of the line before, 64 hexadecimal digits; zeros for the first. */
  readonly prev: string;
  /** SHA-256 of this line up to here. */
  readonly hash: string;
}

/** Where the chain was at a time, signed by the node. */
export interface AuditHead {
  readonly node: string;
  readonly seq: number;
  readonly hash: string;
  readonly atMs: number;
  /** Ed25519, raw, base64url. */
  readonly publicKey: string;
  readonly signature: string;
}

/** A place where heads are kept besides the log itself: the node's store, the fleet's, a file. */
export interface HeadKeeper {
  /** How people know it: `the node's store`. */
  readonly name: string;
  read(): Promise<AuditHead | undefined>;
  write(head: AuditHead): Promise<void>;
}

/** Something that is not as it was written. */
export interface AuditFinding {
  readonly file: string;
  /** Line in that file, counted from 1; absent for what concerns the whole. */
  readonly line?: number;
  readonly text: string;
}

/** What one keeper's head says of the log. */
export interface HeadReport {
  readonly keeper: string;
  readonly seq?: number;
  readonly atMs?: number;
  readonly ok: boolean;
  readonly text: string;
}

/** The result of reading the whole log. */
export interface AuditReport {
  readonly lines: number;
  /** Number of the first line: above 1 when older ones were removed, as the log itself then says. */
  readonly first: number;
  readonly findings: readonly AuditFinding[];
  readonly heads: readonly HeadReport[];
  readonly publicKey: string;
}

/** Which lines to list. */
export interface AuditQuery {
  readonly kind?: string;
  readonly actor?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit: number;
}

/** The log of one node. Disposing writes what waits and leaves the head with every keeper. */
export interface AuditLog extends AsyncDisposable {
  /** Resolves with the line's number once it is on disk. Throws FL1601 `audit-unwritable`: then do not do it. */
  append(entry: AuditEntry): Promise<number>;
  /** For what cannot wait, as healing, or need not, as reading: written within a moment, many together; over 10,000 that wait the oldest are lost and counted. */
  note(entry: AuditEntry): void;
  /** Newest first. */
  list(query: AuditQuery): Promise<readonly AuditLine[]>;
  /** Reads every line and compares with every head that is kept. */
  verify(): Promise<AuditReport>;
  /** Why lines wait, here or for a sink, or were found broken at the start; undefined when all is well. */
  readonly problem: string | undefined;
}

/** A log that keeps nothing, for nodes and tests without one. */
export const silentAudit: AuditLog = {
  append: () => Promise.resolve(0),
  note() {},
  list: () => Promise.resolve([]),
  verify: () => Promise.resolve({ lines: 0, first: 1, findings: [], heads: [], publicKey: "" }),
  problem: undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
};
