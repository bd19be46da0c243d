// SPDX-License-Identifier: Apache-2.0
// The authority that the owner has put into files, read again when they change: what cannot be used then changes nothing.
import { X509Certificate } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import {
  markAuthorityFiles,
  readAuthorityFiles,
  type AuthorityFiles,
  type FileAuthority,
} from "#identity/authority-files.ts";
import { identityErrors } from "#identity/errors.ts";
import type { OwnAuthority } from "./own-authority.ts";

export interface GivenOptions {
  readonly files: AuthorityFiles;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface GivenAuthority {
  readonly files: AuthorityFiles;
  read(): FileAuthority;
  onChange(listener: () => void): () => void;
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 5_000;

/** Opens the files. Throws FL2001 when they cannot be used. */
export function openGivenAuthority({ files, clock, logger }: GivenOptions): GivenAuthority {
  const listeners = new Set<() => void>();
  let mark = markAuthorityFiles(files);
  let current = readAuthorityFiles(files, clock.nowMs());
  let problem = "";

  function look(): void {
    const now = markAuthorityFiles(files);
    if (now === undefined || now === mark) return;
    try {
      current = readAuthorityFiles(files, clock.nowMs());
    } catch (thrown) {
      const { message } = FairleadError.from(thrown);
      // Two files are written one after the other: only what stays wrong is worth a word.
      if (message !== problem)
        logger.warn("the authority's files are not taken", { reason: message });
      problem = message;
      return;
    }
    mark = now;
    problem = "";
    for (const listener of listeners) listener();
  }

  return {
    files,
    read: () => current,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
        look();
      }
    },
  };
}

/** For who asks to change it. */
function refuseToTurn({ files }: GivenAuthority): FairleadError {
  return new FairleadError(
    identityErrors["authority-given"],
    `the authority is that of ${files.certFile}`,
  );
}

/** The authority of a node by itself, whose name begins the ids. */
export function toOwnAuthority(given: GivenAuthority, name: string): OwnAuthority {
  const read = () => {
    const { authority, roots } = given.read();
    return { authority, believed: roots, signers: [authority] };
  };
  return {
    issuer: {
      trustDomain: name.toLowerCase(),
      read,
      need: async () => read(),
      onChange: (listener) => given.onChange(listener),
    },
    list() {
      const { authority } = given.read();
      const madeAtMs = new X509Certificate(authority.certificate).validFromDate.getTime();
      return [{ ...authority, madeAtMs, madeBy: given.files.certFile }];
    },
    turn: () => Promise.reject(refuseToTurn(given)),
    run: (signal) => given.run(signal),
  };
}
