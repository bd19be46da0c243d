// SPDX-License-Identifier: Apache-2.0
// The authority of a node that belongs to no fleet: it signs for the containers of this host, and stands in the node's own store.
import { X509Certificate } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import type { Store } from "#store/store.ts";
import {
  AUTHORITIES,
  AUTHORITY_LEFT_MS,
  findAuthorities,
  listBelieved,
  readAuthorities,
  turnAuthority,
  type KnownAuthority,
} from "./authorities.ts";
import type { Issuer, Signing } from "./issuer.ts";

export interface OwnAuthorityOptions {
  readonly store: Store;
  /** The node's own, with which the authority's key is sealed. */
  readonly secret: Buffer;
  /** Name of the node. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An authority that can be changed. */
export interface OwnAuthority {
  readonly issuer: Issuer;
  /** Those that are believed, newest first. */
  list(): readonly KnownAuthority[];
  /** Lets another one sign; the one before is believed until what it signed has run out. */
  turn(by: string): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

const LOOK_MS = 60_000;

/** A node's name as ids may have it. */
function toTrustDomain(name: string): string {
  return name.toLowerCase();
}

/**
 * Reads the authority; it is made when somebody needs it. One that does not open with the node's secret any more, or is of
 * another name, is made anew.
 */
export async function openOwnAuthority(options: OwnAuthorityOptions): Promise<OwnAuthority> {
  const { store, secret, name, clock, logger } = options;
  const trustDomain = toTrustDomain(name);
  const listeners = new Set<() => void>();
  const making = (by: string) => ({ fleetKey: secret, trustDomain, nowMs: clock.nowMs(), by });

  async function read(): Promise<readonly KnownAuthority[]> {
    const entry = await store.get(AUTHORITIES);
    if (entry === undefined) return [];
    try {
      const found = readAuthorities(entry.value, secret);
      if (found.every(({ certificate }) => isOf(certificate, trustDomain))) return found;
      logger.info("the node has another name: it gets another authority", { name });
    } catch (thrown) {
      const reason = FairleadError.from(thrown).message;
      logger.warn("the node's authority is made anew", { reason });
    }
    await store.transact([{ kind: "delete", key: AUTHORITIES }]);
    return [];
  }

  let authorities = await read();
  let finding: Promise<void> | undefined;

  function tell(): void {
    for (const listener of listeners) listener();
  }

  async function find(): Promise<void> {
    authorities = await findAuthorities(store, making(name), []);
    tell();
  }

  async function turn(by: string): Promise<void> {
    await need();
    await turnAuthority(store, making(by));
    authorities = readAuthorities((await store.get(AUTHORITIES))?.value, secret);
    tell();
  }

  function readSigning(): Signing | undefined {
    const [authority] = authorities;
    if (authority === undefined) return undefined;
    const believed = listBelieved(authorities, clock.nowMs());
    const certificates = believed.map(({ certificate }) => certificate);
    return { authority, believed: certificates, signers: believed };
  }

  async function need(): Promise<Signing> {
    if (authorities.length === 0) {
      finding ??= find().finally(() => (finding = undefined));
      await finding;
    }
    const signing = readSigning();
    if (signing !== undefined) return signing;
    throw new FairleadError(controlErrors["act-failed"], "the node has no authority");
  }

  async function renew(): Promise<void> {
    const [newest] = authorities;
    if (newest === undefined) return;
    const endsMs = new X509Certificate(newest.certificate).validToDate.getTime();
    if (endsMs - clock.nowMs() < AUTHORITY_LEFT_MS) await turn(name);
  }

  return {
    issuer: {
      trustDomain,
      read: readSigning,
      need,
      onChange(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
    list: () => listBelieved(authorities, clock.nowMs()),
    turn,
    async run(signal) {
      while (!signal.aborted) {
        await renew().catch((thrown: unknown) =>
          logger.warn("the node's authority was not renewed", {
            reason: FairleadError.from(thrown).message,
          }),
        );
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      }
    },
  };
}

function isOf(certificate: string, trustDomain: string): boolean {
  return new X509Certificate(certificate).subjectAltName === `URI:spiffe://${trustDomain}`;
}
