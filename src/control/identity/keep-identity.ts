// SPDX-License-Identifier: Apache-2.0
// Who this node is, and who the others are. A node's key never leaves its memory; the fleet's authority signs for it, and which
// key a node has stands in the fleet's store. So a certificate is believed while both hold: it is signed, and it is the one of a
// node that stands on the roll. While the store is away both go on as they were, and certificates are renewed.
import { X509Certificate } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { controlErrors } from "#control/errors.ts";
import type { Fleet } from "#control/fleet.ts";
import { NODE_CERTIFICATES, NODES, readFleetKey } from "#control/roll-entries.ts";
import {
  CREDENTIAL_TTL_MS,
  hashKey,
  issueCredential,
  makeKey,
  type Authority,
  type Credential,
} from "#identity/authority.ts";
import { nodeUri, readNodeName } from "#identity/verify.ts";
import type { PeerCredentials } from "#peering/peering.ts";
import type { Store, StoreChange } from "#store/store.ts";
import {
  AUTHORITIES,
  AUTHORITY_LEFT_MS,
  findAuthorities,
  IDENTITY,
  listBelieved,
  readAuthorities,
  turnAuthority,
  type KnownAuthority,
} from "./authorities.ts";
import type { GivenAuthority } from "./given-authority.ts";
import { createIssuer, type Issuer, type Signing } from "./issuer.ts";
import { createKnownNodes, type NodeCertificate } from "./known-nodes.ts";

export interface IdentityOptions {
  readonly fleet: Fleet;
  readonly self: { readonly id: string; readonly name: string };
  /** Signs for this node in place of the fleet's own authority. */
  readonly given?: GivenAuthority | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface IdentityKeeper {
  /** Signs for the containers of this node by the fleet's authority. */
  readonly issuer: Issuer;
  /** Until when the certificate of a node is good, by its id; undefined while none is known. */
  endOf(id: string): number | undefined;
  /** Resolves once this node has a certificate that others know. Rejects with the signal's reason. */
  ready(signal: AbortSignal): Promise<PeerCredentials>;
  run(signal: AbortSignal): Promise<void>;
}

/** Between two attempts, doubled each time: the first ones only wait for the node to stand on the roll. */
const RETRY_MS = { first: 100, last: 5_000 } as const;
/** For so long is waited until the store says which node has a key: it may have come just now. */
const ARRIVAL_MS = 1_000;
/** How often is looked whether half of the time is over. */
const LOOK_MS = 5_000;

/** Makes the loop; there are no credentials before it runs. */
export function createIdentityKeeper(options: IdentityOptions): IdentityKeeper {
  const { fleet, self, given, clock, logger } = options;
  const trustDomain = fleet.name;
  const nodes = createKnownNodes(clock);
  const listeners = new Set<() => void>();
  let authorities: readonly KnownAuthority[] = [];
  let fleetKey: Buffer = Buffer.alloc(0);
  let own: Credential | undefined;
  const said = { problem: "", roots: "" };
  let retryMs: number = RETRY_MS.first;

  function tell(): void {
    said.roots = listRoots().join();
    for (const listener of listeners) listener();
  }

  /** The fleet's own authorities while somebody's certificate is of them, and those that nodes have been given. */
  function listRoots(): readonly string[] {
    const known = nodes.list();
    const isOwnInUse = given === undefined || known.some(({ roots }) => roots === undefined);
    const believed = isOwnInUse ? listBelieved(authorities, clock.nowMs()) : [];
    const roots = [...(given?.read().roots ?? []), ...known.flatMap((one) => one.roots ?? [])];
    return [...new Set([...believed.map(({ certificate }) => certificate), ...roots])];
  }

  function readSigning(): Signing | undefined {
    const authority = given?.read().authority ?? authorities[0];
    if (authority === undefined) return undefined;
    const signers = [
      ...(given === undefined ? [] : [authority]),
      ...listBelieved(authorities, clock.nowMs()),
    ];
    return { authority, believed: listRoots(), signers };
  }

  /** Takes a certificate of the authority that signs; on a new key where the old one is not to be believed any more. */
  async function renew(key: string | undefined): Promise<Credential> {
    const signing = readSigning();
    if (signing === undefined) throw new Error("an authority is found before anything is signed");
    const uri = nodeUri(trustDomain, self.name);
    const nowMs = clock.nowMs();
    own = await issueCredential(signing.authority, { uri, key: key ?? (await makeKey()), nowMs });
    return own;
  }

  function describeOwn(): NodeCertificate {
    if (own === undefined) throw new Error("a certificate is taken before it is described");
    const { uri, serial, keyHash, notAfterMs } = own;
    const roots = given === undefined ? {} : { roots: [...given.read().roots] };
    return { name: self.name, uri, serial, keyHash, notAfterMs, ...roots };
  }

  function hasOwnKey(): boolean {
    return own !== undefined && nodes.get(self.id)?.keyHash === own.keyHash;
  }

  /** Says in the store which certificate this node has; throws while it does not stand on the roll. */
  async function publish(store: Store): Promise<void> {
    const value = describeOwn();
    const key = NODES + self.id;
    const entry = await store.get(key);
    const isOn = entry !== undefined;
    const condition = { key, revision: entry?.revision ?? 0 };
    const put = { kind: "put", key: NODE_CERTIFICATES + self.id, value } as const;
    if (isOn && (await store.transact([put], [condition])) !== undefined) return;
    throw new FairleadError(controlErrors["act-failed"], "this node does not stand on the roll");
  }

  function take({ key, value }: Pick<StoreChange, "key" | "value">): void {
    if (key === AUTHORITIES && value !== undefined) authorities = readAuthorities(value, fleetKey);
    nodes.take({ key, value });
  }

  /** Those that are missing now are believed for a while longer; what is deleted while this watches is not. */
  async function readAll(store: Store): Promise<number> {
    const { entries, revision } = await store.list(IDENTITY);
    for (const entry of entries) take(entry);
    nodes.noteMissing(entries.map(({ key }) => key));
    return revision;
  }

  /** A new certificate where the one there is does not do: of an older authority, or taken back. */
  async function settle(store: Store): Promise<void> {
    const signing = readSigning();
    if (signing === undefined) return;
    const isRevoked = !hasOwnKey();
    const isOld = own !== undefined && !isSignedBy(own, signing.authority);
    if (own !== undefined && !isRevoked && !isOld) return;
    await renew(isRevoked ? undefined : own?.key);
    await publish(store);
    nodes.set(self.id, describeOwn());
    tell();
  }

  async function attend(store: Store, signal: AbortSignal): Promise<void> {
    fleetKey = await readFleetKey(store, fleet.makeKey);
    const nowMs = clock.nowMs();
    const making = { fleetKey, trustDomain, nowMs, by: self.name };
    if (given === undefined) authorities = await findAuthorities(store, making, authorities);
    const revision = await readAll(store);
    const isKnown = own !== undefined && !nodes.isMissing(self.id) && hasOwnKey();
    if (!isKnown) await renew(undefined);
    await publish(store);
    nodes.set(self.id, describeOwn());
    retryMs = RETRY_MS.first;
    said.problem = "";
    tell();
    for await (const changes of store.watch(IDENTITY, revision, { signal })) {
      for (const change of changes) take(change);
      await settle(store);
      tell();
    }
  }

  async function keep(signal: AbortSignal): Promise<void> {
    let store: Store | undefined;
    while (!signal.aborted) {
      try {
        store ??= await fleet.openStore();
        await attend(store, signal);
      } catch (thrown) {
        if (signal.aborted) break;
        const { message } = FairleadError.from(thrown);
        if (said.problem !== message)
          logger.info("this node has no part in the fleet's identities yet", { reason: message });
        said.problem = message;
        await clock.sleep(retryMs, signal).catch(() => undefined);
        retryMs = Math.min(retryMs * 2, RETRY_MS.last);
      }
    }
    await store?.[Symbol.asyncDispose]();
  }

  /** Renews in time also while the store is away; what it could not be told, it is told when it is back. */
  async function renewInTime(): Promise<void> {
    // One that is believed no longer is so by time alone: no change of the store says it.
    if (nodes.forgetMissing() || said.roots !== listRoots().join()) tell();
    const nowMs = clock.nowMs();
    if (own === undefined || nowMs <= own.notAfterMs - CREDENTIAL_TTL_MS / 2) return;
    await renew(own.key);
    tell();
    await using store = await fleet.openStore();
    await publish(store);
    const [authority] = authorities;
    if (authority === undefined || given !== undefined) return;
    const { validToDate } = new X509Certificate(authority.certificate);
    if (validToDate.getTime() - nowMs < AUTHORITY_LEFT_MS) await turn(self.name, authority);
  }

  /** Takes a certificate of another authority that the owner has put into the files. */
  async function retake(): Promise<void> {
    try {
      await using store = await fleet.openStore();
      await settle(store);
    } catch (thrown) {
      logger.warn("no certificate of the new authority yet", {
        reason: FairleadError.from(thrown).message,
      });
    }
  }

  async function look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
      await renewInTime().catch((thrown: unknown) =>
        logger.warn("the fleet was not told of this node's new certificate", {
          reason: FairleadError.from(thrown).message,
        }),
      );
    }
  }

  /** Lets another authority sign; unless somebody else was quicker than who names the one there was. */
  async function turn(by: string, unless?: KnownAuthority): Promise<void> {
    await using store = await fleet.openStore();
    const making = { fleetKey, trustDomain, nowMs: clock.nowMs(), by };
    await turnAuthority(store, making, unless);
  }

  async function identify(certificate: X509Certificate): Promise<string> {
    const name = readNodeName(certificate, trustDomain);
    const keyHash = hashKey(certificate);
    const isKnown = (): boolean => nodes.findByKey(keyHash) !== undefined;
    if (!isKnown()) await awaitUntil(listeners, isKnown, AbortSignal.timeout(ARRIVAL_MS));
    const id = nodes.findByKey(keyHash);
    if (id !== undefined && nodes.get(id)?.name === name) return id;
    throw new FairleadError(
      controlErrors["certificate-unknown"],
      `the certificate of ${name} is not the one that the fleet knows`,
      { facts: { serial: certificate.serialNumber.toLowerCase() } },
    );
  }

  const credentials: PeerCredentials = {
    read() {
      if (own === undefined) throw new Error("credentials are not given before there are any");
      return {
        authorities: listRoots(),
        certificate: own.certificate,
        key: own.key,
      };
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    identify,
    isBelieved: (certificate) => nodes.findByKey(hashKey(certificate)) !== undefined,
  };

  const { onChange } = credentials;
  const issuer = createIssuer({ trustDomain, read: readSigning, onChange });

  return {
    issuer,
    endOf: (id) => nodes.get(id)?.notAfterMs,
    async ready(signal) {
      await awaitUntil(listeners, hasOwnKey, signal);
      signal.throwIfAborted();
      return credentials;
    },
    async run(signal) {
      given?.onChange(() => void retake());
      await Promise.all([keep(signal), look(signal), given?.run(signal)]);
    },
  };
}

function isSignedBy(credential: Credential, authority: Authority): boolean {
  const leaf = new X509Certificate(credential.certificate);
  return leaf.checkIssued(new X509Certificate(authority.certificate));
}

/** Resolves when what is asked for holds, and at the latest after the time. */
function awaitUntil(
  listeners: Set<() => void>,
  holds: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!holds() && !signal.aborted) return;
      listeners.delete(look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    listeners.add(look);
    signal.addEventListener("abort", look, { once: true });
    look();
  });
}
