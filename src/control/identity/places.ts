// SPDX-License-Identifier: Apache-2.0
// Places: what one container alone sees of its node. A directory that is mounted into it and into nothing else, with a socket in
// it; who dials that socket is that container, and whose it is the engine says. So nobody has to be believed who says who it is.
// Tried before: one socket for all containers, and a ticket in the environment of each that says whose it is. Whoever read the
// ticket was that service, in whatever container.
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { FactsBoard } from "#control/facts-board.ts";
import type { Fabric } from "#fabric/fabric.ts";
import type { Credential } from "#identity/authority.ts";
import { OWN_LABELS, type InstanceFact } from "#model/facts.ts";
import { IDENTITY_DEFAULT, IDENTITY_LABEL, readIdentityWord } from "#model/identity-word.ts";
import type { ServiceIntent } from "#model/intent.ts";
import { createHolder, type Holder } from "./holder.ts";
import type { EndedCertificates, IssuedBook } from "./issued-book.ts";
import type { Issuer } from "./issuer.ts";
import type { Revocations } from "./revocations.ts";
import { createRevokedLists } from "./revoked-lists.ts";

export interface PlacesOptions {
  readonly fabric: Pick<Fabric, "grantTicket" | "openPlace">;
  readonly board: Pick<FactsBoard, "read" | "ready" | "find" | "onChange">;
  readonly issuer: Issuer;
  readonly issued: IssuedBook;
  readonly revocations: Pick<Revocations, "list" | "onChange">;
  /** Directory of all places; who may look into it sees every key in files. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a container gets of its node when it is created. */
export interface Access {
  /** Stands in a label of the container, so that a node that begins knows which place is whose. */
  readonly place: string;
  /** Is mounted. */
  readonly directory: string;
  /** Proves of which service it is, for agents. */
  readonly ticket: string | undefined;
  /** Where its certificate is, when its service says something of one. */
  readonly identity: "socket" | "files" | undefined;
}

/** A certificate that a container has. */
export interface HeldIdentity {
  readonly instance: InstanceFact;
  readonly credential: Credential;
}

export interface Places extends AsyncDisposable {
  /** Makes a place for a container that is about to be created; undefined when its service is no agent and asks for none. */
  grant(scope: string, service: ServiceIntent): Promise<Access | undefined>;
  /** Makes the place of a container right that is about to be started, named by id. */
  prepare(id: string): Promise<void>;
  /** Certificates of containers that run. */
  list(): readonly HeldIdentity[];
  /** Believes no more what a container that runs was given, which takes another; none when it was given none. */
  revoke(instance: InstanceFact): Promise<EndedCertificates>;
  run(signal: AbortSignal): Promise<void>;
}

interface Place {
  readonly directory: string;
  readonly holder: Holder;
  door: Promise<AsyncDisposable>;
  /** Whether the engine has been seen to have its container. */
  isSeen: boolean;
  readonly sinceMs: number;
}

const KIND_LABEL = "fairlead.kind";
/** Short, since the path of a socket has at most 107 bytes. */
const ID_BYTES = 8;
const ID = /^[0-9a-f]{16}$/;
const SOCKET = "fabric.sock";
/** For so long a place waits for its container to be created. */
const PENDING_MS = 300_000;
const LOOK_MS = 5_000;
const NOTHING_ENDED: EndedCertificates = { certificates: [], told: Promise.resolve() };

/** Makes the keeper; what containers there are, it learns while it runs. */
export function createPlaces(options: PlacesOptions): Places {
  const { fabric, board, issuer, issued, revocations, directory, clock, logger } = options;
  const places = new Map<string, Place>();
  const revokedLists = createRevokedLists(revocations, clock);
  const given = { issuer, issued, revokedLists, clock, logger };
  let isClosed = false;

  function listOwners(): ReadonlyMap<string, InstanceFact> {
    const found = board.read().instances.flatMap((one): [string, InstanceFact][] => {
      const id = one.labels[OWN_LABELS.place] ?? "";
      return ID.test(id) ? [[id, one]] : [];
    });
    return new Map(found);
  }

  function openDoor(id: string, owner: { scope: string; service: string }, holder: Holder) {
    const path = join(directory, id, SOCKET);
    const door = fabric.openPlace({ path, ...owner, identity: holder.source });
    door.catch((thrown: unknown) => {
      const reason = FairleadError.from(thrown).message;
      logger.error("a container's socket cannot be opened", { place: path, reason });
      places.delete(id);
    });
    return door;
  }

  function open(
    id: string,
    owner: { readonly scope: string; readonly service: string },
    labels: Readonly<Record<string, string>>,
  ): Place {
    const folder = join(directory, id);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const word = readIdentityWord(labels[IDENTITY_LABEL] ?? "") ?? IDENTITY_DEFAULT;
    const holder = createHolder({ owner, word, place: id, directory: folder, ...given });
    const door = openDoor(id, owner, holder);
    const sinceMs = clock.monotonicMs();
    const place: Place = { directory: folder, holder, door, isSeen: false, sinceMs };
    places.set(id, place);
    return place;
  }

  function remove(id: string, { directory: folder, holder, door }: Place): void {
    places.delete(id);
    holder.end();
    rmSync(folder, { recursive: true, force: true });
    void door.then((one) => one[Symbol.asyncDispose]()).catch(() => undefined);
  }

  /** What nobody has any more: of containers that went while no node ran. */
  function sweep(owners: ReadonlyMap<string, InstanceFact>): void {
    issued.retain((place) => places.has(place) || owners.has(place));
    for (const name of readdirSync(directory))
      if (ID.test(name) && !places.has(name) && !owners.has(name))
        rmSync(join(directory, name), { recursive: true, force: true });
  }

  function settle(): void {
    if (isClosed || !board.ready) return;
    const owners = listOwners();
    for (const [id, instance] of owners) {
      const { scope, service, labels, state, startedAtMs } = instance;
      const place = places.get(id) ?? open(id, { scope, service }, labels);
      place.isSeen = true;
      place.holder.setLife(state === "running" || state === "paused" ? startedAtMs : 0);
    }
    const oldMs = clock.monotonicMs() - PENDING_MS;
    for (const [id, place] of places)
      if (!owners.has(id) && (place.isSeen || place.sinceMs < oldMs)) remove(id, place);
    sweep(owners);
  }

  const renew = (): void => {
    for (const { holder } of places.values()) holder.renewSoon();
  };
  const stops = [board.onChange(settle), issuer.onChange(renew), revocations.onChange(renew)];

  function placeOf(instance: InstanceFact | undefined): Place | undefined {
    return places.get(instance?.labels[OWN_LABELS.place] ?? "");
  }

  return {
    async grant(scope, { name: service, container: { Labels: labels = {} } }) {
      const word = readIdentityWord(labels[IDENTITY_LABEL] ?? "");
      const isAgent = labels[KIND_LABEL] === "agent";
      if (isClosed || (!isAgent && word === undefined)) return undefined;
      const id = randomBytes(ID_BYTES).toString("hex");
      const { directory: folder, holder, door } = open(id, { scope, service }, labels);
      await door;
      await holder.prepare();
      const ticket = isAgent ? fabric.grantTicket(scope, service) : undefined;
      return { place: id, directory: folder, ticket, identity: word?.by };
    },
    async prepare(id) {
      const place = placeOf(board.find(id));
      if (place === undefined) return;
      mkdirSync(place.directory, { recursive: true, mode: 0o755 });
      // It has run before: an old certificate is better than no container.
      await place.holder.prepare().catch((thrown: unknown) =>
        logger.warn("a container starts with the certificate it had", {
          reason: FairleadError.from(thrown).message,
        }),
      );
    },
    list() {
      return [...listOwners()].flatMap(([id, instance]): HeldIdentity[] => {
        const credential = places.get(id)?.holder.credential;
        const runs = instance.state === "running" || instance.state === "paused";
        return credential === undefined || !runs ? [] : [{ instance, credential }];
      });
    },
    revoke: async (instance) => (await placeOf(instance)?.holder.revoke()) ?? NOTHING_ENDED,
    async run(signal) {
      settle();
      while (!signal.aborted) {
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
        if (!signal.aborted) renew();
      }
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      for (const stop of stops) stop();
      for (const { holder } of places.values()) holder.close();
      const doors = await Promise.allSettled([...places.values()].map(({ door }) => door));
      for (const one of doors)
        if (one.status === "fulfilled") await one.value[Symbol.asyncDispose]();
    },
  };
}
