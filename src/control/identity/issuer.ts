// SPDX-License-Identifier: Apache-2.0
// Who signs for what runs on this node: the fleet's authority, or that of a node by itself.
import { FairleadError } from "#base/errors.ts";
import type { Authority } from "#identity/authority.ts";
import { identityErrors } from "#identity/errors.ts";

/** What is in force. */
export interface Signing {
  /** Signs what is issued now. */
  readonly authority: Authority;
  /** Authorities that are believed, PEM; the one that signs is among them, or leads to one that is. */
  readonly believed: readonly string[];
  /** Those of them whose keys this node has: they sign lists of what is believed no more. */
  readonly signers: readonly Authority[];
}

export interface Issuer {
  /** What the ids of everybody begin with: `spiffe://TRUST-DOMAIN/`. */
  readonly trustDomain: string;
  /** Undefined while no authority is known: before the fleet's store has answered, before the first one is needed. */
  read(): Signing | undefined;
  /** What is in force, made now where it is needed for the first time. Throws FL2004 while no authority is known. */
  need(): Promise<Signing>;
  /** Calls the listener when something else may be in force; returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

/** Makes one that gives what there is. */
export function createIssuer(parts: Omit<Issuer, "need">): Issuer {
  return {
    ...parts,
    async need() {
      const signing = parts.read();
      if (signing !== undefined) return signing;
      throw new FairleadError(
        identityErrors["authority-unknown"],
        "no certificate can be given before the fleet's store has said which authority signs",
      );
    },
  };
}
