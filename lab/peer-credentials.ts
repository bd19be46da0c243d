// SPDX-License-Identifier: Apache-2.0
// Credentials of nodes that need no fleet: one authority, and whoever it vouches for is believed under the name in its
// certificate until that is taken back.
import { FairleadError } from "#base/errors.ts";
import {
  hashKey,
  issueCredential,
  makeAuthority,
  makeKey,
  type Authority,
} from "#identity/authority.ts";
import { identityErrors } from "#identity/errors.ts";
import { nodeUri, readNodeName } from "#identity/verify.ts";
import type { PeerCredentials } from "#peering/peering.ts";

const TRUST_DOMAIN = "lab";

/** A fleet as far as credentials go. */
export interface LabAuthority {
  readonly authority: Authority;
  /** What a node of that name shows. */
  issue(name: string, options?: { readonly nowMs?: number }): Promise<LabCredentials>;
}

/** Credentials that a test can change. */
export interface LabCredentials extends PeerCredentials {
  /** Takes another certificate, as a renewal does. */
  renew(nowMs?: number): Promise<void>;
  /** Believes a key no more: the hash of it. */
  distrust(keyHash: string): void;
  readonly keyHash: string;
}

/** Makes an authority, and what nodes under it show. */
export async function createLabAuthority(trustDomain = TRUST_DOMAIN): Promise<LabAuthority> {
  const authority = await makeAuthority({ trustDomain, nowMs: Date.now() });
  return {
    authority,
    async issue(name, { nowMs = Date.now() } = {}) {
      const listeners = new Set<() => void>();
      const distrusted = new Set<string>();
      const make = async (atMs: number) =>
        issueCredential(authority, {
          uri: nodeUri(trustDomain, name),
          key: await makeKey(),
          nowMs: atMs,
        });
      let credential = await make(nowMs);
      const tell = (): void => {
        for (const listener of listeners) listener();
      };
      return {
        get keyHash() {
          return credential.keyHash;
        },
        read: () => ({
          authorities: [authority.certificate],
          certificate: credential.certificate,
          key: credential.key,
        }),
        onChange(listener) {
          listeners.add(listener);
          return () => void listeners.delete(listener);
        },
        async identify(certificate) {
          if (distrusted.has(hashKey(certificate)))
            throw new FairleadError(identityErrors["certificate-refused"], "it was taken back");
          return readNodeName(certificate, trustDomain);
        },
        isBelieved: (certificate) => !distrusted.has(hashKey(certificate)),
        async renew(atMs = Date.now()) {
          credential = await make(atMs);
          tell();
        },
        distrust(keyHash) {
          distrusted.add(keyHash);
          tell();
        },
      };
    },
  };
}
