// SPDX-License-Identifier: Apache-2.0
// Scopes that have rights, ready to be asked. Each change of what is kept makes the scopes anew that it is about.
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { NamedPolicy, Rights, RightsCompiler } from "#rights/rights.ts";
import type { RightsBook, RightsRecord } from "./rights-book.ts";

/** What one scope has; `rights` is undefined when what is kept cannot be read: then nothing passes. */
export interface Governed {
  readonly records: readonly RightsRecord[];
  readonly policies: ReadonlyMap<string, readonly NamedPolicy[]>;
  readonly rights: Rights | undefined;
}

export interface GovernedScopes {
  get(scope: string): Governed | undefined;
  /** Throws FL2101 for records that are no rights together. */
  check(records: readonly RightsRecord[]): Promise<void>;
  /** Resolves once what the book says now is in force. */
  refresh(): Promise<void>;
}

interface Parts {
  readonly book: RightsBook;
  /** Loads what evaluates policies; called once there is one. */
  readonly openCompiler: () => Promise<RightsCompiler>;
  /** A scope has rights from now on, or none any more. */
  readonly onGoverned: (scope: string) => void;
  readonly logger: Logger;
}

const isSame = (one: readonly RightsRecord[], other: readonly RightsRecord[]): boolean =>
  one.length === other.length &&
  one.every(({ name, text }, i) => name === other[i]?.name && text === other[i].text);

/** None yet. */
export function createGovernedScopes({
  book,
  openCompiler,
  onGoverned,
  logger,
}: Parts): GovernedScopes {
  const scopes = new Map<string, Governed>();
  let compiler: Promise<RightsCompiler> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const isBroken = (scope: string): boolean =>
    book.listBroken().some((record) => record.scope === scope);

  async function compile(records: readonly RightsRecord[]): Promise<Governed> {
    const { read, compile: make } = await (compiler ??= openCompiler());
    const policies = new Map(records.map(({ name, text }) => [name, read(name, text)]));
    return { records, policies, rights: make([...policies.values()].flat()) };
  }

  /** What cannot be read is no reason to keep another from going; nothing passes then. */
  async function compileKept(scope: string, records: readonly RightsRecord[]): Promise<Governed> {
    if (isBroken(scope)) return { records, policies: new Map(), rights: undefined };
    try {
      return await compile(records);
    } catch (error) {
      const { message: reason } = FairleadError.from(error);
      logger.error("rights that are kept cannot be read; nothing passes in their scope", {
        scope,
        reason,
      });
      return { records, policies: new Map(), rights: undefined };
    }
  }

  function place(scope: string, next: Governed | undefined): void {
    const before = scopes.get(scope);
    if (next === undefined) scopes.delete(scope);
    else scopes.set(scope, next);
    before?.rights?.[Symbol.dispose]();
    if ((before === undefined) !== (next === undefined)) onGoverned(scope);
  }

  async function settle(): Promise<void> {
    const wanted = Map.groupBy(book.listSets(), ({ scope }) => scope);
    const broken = book.listBroken().map(({ scope }) => scope);
    for (const scope of new Set([...scopes.keys(), ...wanted.keys(), ...broken])) {
      const records = wanted.get(scope) ?? [];
      const before = scopes.get(scope);
      if (records.length === 0 && !isBroken(scope)) {
        if (before !== undefined) place(scope, undefined);
        continue;
      }
      const isAsBefore = before !== undefined && isSame(before.records, records);
      if (isAsBefore && before.rights !== undefined && !isBroken(scope)) continue;
      place(scope, await compileKept(scope, records));
    }
  }

  return {
    get: (scope) => scopes.get(scope),
    async check(records) {
      const { rights } = await compile(records);
      rights?.[Symbol.dispose]();
    },
    refresh() {
      const done = last.then(settle, settle);
      last = done.catch(() => undefined);
      return done;
    },
  };
}
