// SPDX-License-Identifier: Apache-2.0
// The certificate of one container: issued while the engine says that it runs, another one for each of its lives, renewed when
// half of its time is over and when another authority signs. It is told to who waits for it, and lies in files where that is wanted.
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { WorkloadSource } from "@fairlead/fabric/grpc/workload-api.ts";
import { readPem, renderPem, type WorkloadMaterial } from "@fairlead/fabric/grpc/workload-codec.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { issueCredential, makeKey, type Credential } from "#identity/authority.ts";
import { serviceUri } from "#identity/verify.ts";
import type { IdentityWord } from "#model/identity-word.ts";
import { writeCredentialFiles, writeRevokedFile } from "./credential-files.ts";
import type { EndedCertificates, IssuedBook } from "./issued-book.ts";
import type { Issuer, Signing } from "./issuer.ts";
import type { RevokedLists } from "./revoked-lists.ts";

export interface HolderOptions {
  readonly owner: { readonly scope: string; readonly service: string };
  readonly word: IdentityWord;
  /** Directory that the container sees. */
  readonly directory: string;
  /** Name of that place. */
  readonly place: string;
  readonly issuer: Issuer;
  readonly issued: IssuedBook;
  readonly revokedLists: { read(signing: Signing): Promise<RevokedLists> };
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Holder {
  readonly uri: string;
  /** What the container has now. */
  readonly credential: Credential | undefined;
  /** For who dials the container's socket. */
  readonly source: WorkloadSource;
  /**
   * When the container began to run, by the engine; 0 while it does not. Another life gets another certificate, and what was given
   * in the one before is believed no more.
   */
  setLife(startedAtMs: number): void;
  /** Puts the files there for the life to come, before the container is started. Throws FL2004 while no authority is known. */
  prepare(): Promise<void>;
  /** Renews what is due. */
  renewSoon(): void;
  /** Believes no more what was given in this life; the container takes another on a new key where it has one now. */
  revoke(): Promise<EndedCertificates>;
  /** Ends all that wait; what was given stays as it is. */
  close(): void;
  /** The same when the container is gone: what was given is believed no more. */
  end(): void;
}

interface Waiting {
  readonly give: (material: WorkloadMaterial) => void;
  readonly fail: (error: FabricError) => void;
  /** Which it was given last. */
  mark: string;
}

/** For so long the engine may take to say that the container runs whose process asks already. */
const ATTEST_MS = 5_000;
/** Below which name the node answers DNS. */
const APEX = "fairlead.internal";
const HOST_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

function listDnsNames({ scope, service }: HolderOptions["owner"]): readonly string[] {
  return HOST_LABEL.test(scope) && HOST_LABEL.test(service) ? [`${service}.${scope}.${APEX}`] : [];
}

/** All that is given beside a certificate. */
interface Around {
  readonly signing: Signing;
  readonly revoked: RevokedLists;
}

const markOf = ({ serial }: Credential, { signing: { believed } }: Around): string =>
  [serial, ...believed].join("\n");

function toMaterial(
  credential: Credential,
  { signing: { believed }, revoked }: Around,
): WorkloadMaterial {
  return {
    uri: credential.uri,
    certificates: readPem(credential.certificate),
    key: readPem(credential.key)[0] ?? Buffer.alloc(0),
    authorities: readPem(believed.join("")),
    revoked: revoked.lists,
  };
}

const DENIED = "the engine knows no container that runs and has this socket";

/** Makes it; it has no certificate yet. */
export function createHolder(options: HolderOptions): Holder {
  const { owner, word, directory, place, issuer, issued, clock, logger } = options;
  const uri = serviceUri(issuer.trustDomain, owner.scope, owner.service);
  const waiting = new Set<Waiting>();
  let life = 0;
  let credential: Credential | undefined;
  let signedBy = "";
  let written = "";
  let listed = "";
  /** Whether what there is was made for a life that is to come. */
  let isForNext = false;
  let isClosed = false;
  let running: Promise<void> = Promise.resolve();

  function isDue(signing: Signing): boolean {
    if (credential === undefined || signedBy !== signing.authority.certificate) return true;
    return clock.nowMs() > credential.notAfterMs - word.ttlMs / 2;
  }

  function tell(around: Around): void {
    if (credential === undefined || life === 0) return;
    const mark = `${markOf(credential, around)}\n${around.revoked.mark}`;
    for (const one of waiting) {
      if (one.mark === mark) continue;
      one.mark = mark;
      one.give(toMaterial(credential, around));
    }
  }

  /** Noted before anybody has it: a node that is killed in between knows whose it was. */
  async function issue({ authority }: Signing, isNext: boolean): Promise<void> {
    const inLife = isNext ? 0 : life;
    const request = { uri, key: await makeKey(), nowMs: clock.nowMs(), ttlMs: word.ttlMs };
    const dnsNames = listDnsNames(owner);
    const made = await issueCredential(authority, { ...request, dnsNames });
    await issued.add(place, inLife, made);
    credential = made;
    signedBy = authority.certificate;
    isForNext = isNext;
    // It ended while this was made.
    if (inLife !== 0 && inLife !== life) issued.setLife(place, life);
  }

  async function write(held: Credential, around: Around): Promise<void> {
    const { signing, revoked } = around;
    const lists = revoked.lists.map((one) => renderPem(one, "X509 CRL"));
    const mark = markOf(held, around);
    if (written !== mark)
      await writeCredentialFiles(directory, held, { believed: signing.believed, revoked: lists });
    else if (listed !== revoked.mark) await writeRevokedFile(directory, lists);
    written = mark;
    listed = revoked.mark;
  }

  async function work({ isForced = false, isNext = false }): Promise<void> {
    if (isClosed) return;
    const signing = await issuer.need();
    if (isForced || isDue(signing)) await issue(signing, isNext);
    if (credential === undefined) return;
    const around = { signing, revoked: await options.revokedLists.read(signing) };
    if (word.by === "files") await write(credential, around);
    tell(around);
  }

  /** One after the other, so that of two at once the second finds what the first has made. */
  function ensure(how: { isForced?: boolean; isNext?: boolean } = {}): Promise<void> {
    const next = running.then(() => work(how));
    running = next.catch(() => undefined);
    return next;
  }

  /** In its turn, so that what is made meanwhile is not taken for what was there before. */
  function revoke(): Promise<EndedCertificates> {
    const next = running.then(async () => {
      if (credential !== undefined && life !== 0)
        await work({ isForced: true }).catch((thrown: unknown) => {
          credential = undefined;
          report(thrown);
        });
      return issued.endOthers(place, credential?.serial);
    });
    running = next.then(
      () => undefined,
      () => undefined,
    );
    return next;
  }

  function report(thrown: unknown): void {
    logger.warn("a container was given no certificate", {
      service: `${owner.scope}/${owner.service}`,
      reason: FairleadError.from(thrown).message,
    });
  }

  function failAll(): void {
    for (const { fail } of waiting) fail(new FabricError("permission_denied", DENIED));
    waiting.clear();
  }

  function close(): void {
    isClosed = true;
    failAll();
  }

  async function denyLater(one: Waiting): Promise<void> {
    await clock.sleep(ATTEST_MS);
    if (life !== 0 || !waiting.delete(one)) return;
    one.fail(new FabricError("permission_denied", DENIED));
  }

  function begin(one: Waiting): void {
    ensure().catch((thrown: unknown) => {
      waiting.delete(one);
      one.fail(new FabricError("unavailable", FairleadError.from(thrown).message));
    });
  }

  return {
    uri,
    get credential() {
      return credential;
    },
    source(give, fail) {
      const one: Waiting = { give, fail, mark: "" };
      waiting.add(one);
      if (life !== 0) begin(one);
      else void denyLater(one);
      return () => void waiting.delete(one);
    },
    setLife(startedAtMs) {
      if (startedAtMs === life) return;
      const isOver = life !== 0;
      life = startedAtMs;
      if (isOver) {
        // What the life before had is nobody's now.
        if (!isForNext) credential = undefined;
        failAll();
      }
      if (life !== 0) isForNext = false;
      issued.setLife(place, startedAtMs);
      if (word.by === "files" || waiting.size > 0) ensure().catch(report);
    },
    prepare: () =>
      word.by === "files"
        ? ensure({ isForced: life !== 0 && !isForNext, isNext: true })
        : Promise.resolve(),
    renewSoon() {
      if (life === 0) return;
      const signing = issuer.read();
      if (signing === undefined) return;
      const isWanted = word.by === "files" || waiting.size > 0;
      if (isWanted) ensure().catch(report);
      else if (credential !== undefined && isDue(signing)) credential = undefined;
    },
    revoke,
    close,
    end() {
      close();
      issued.end(place);
    },
  };
}
