// SPDX-License-Identifier: Apache-2.0
// Places of containers over real sockets, with a picture of the engine that a test draws, and a clock that it moves on.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { openIdentity, type NodeIdentity } from "@fairlead/sdk";
import { silentLogger } from "#base/logger.ts";
import { buildInstance, buildService } from "#brain/testing/builders.ts";
import type { BoardChange } from "#control/facts-board.ts";
import { openIssuedBook } from "#control/identity/issued-book.ts";
import type { Issuer } from "#control/identity/issuer.ts";
import { openOwnAuthority, type OwnAuthority } from "#control/identity/own-authority.ts";
import { createPlaces, type Access, type Places } from "#control/identity/places.ts";
import { openRevocations, type Revocations } from "#control/identity/revocations.ts";
import { openTestFabric } from "#fabric/testing/open-test-fabric.ts";
import { OWN_LABELS, type Facts, type InstanceFact } from "#model/facts.ts";
import { openStore } from "#store/open.ts";
import { systemClock } from "#store/testing/system-clock.ts";

const SECRET = Buffer.alloc(32, 7);

/** The picture of an engine. */
function createPicture() {
  const listeners = new Set<(change: BoardChange) => void>();
  let instances: readonly InstanceFact[] = [];
  return {
    ready: true,
    read: (): Facts => ({
      asOfMs: 0,
      engineGap: undefined,
      node: undefined,
      instances,
      networks: [],
      volumes: [],
      images: new Map(),
    }),
    find: (id: string) => instances.find((one) => one.id === id),
    onChange(listener: (change: BoardChange) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    draw(...next: readonly InstanceFact[]) {
      instances = next;
      for (const listener of listeners) listener({ scopes: undefined, event: undefined });
    },
  };
}

/** The machine's time, moved on as wanted; who sleeps, sleeps shorter. */
function createHastyClock() {
  let aheadMs = 0;
  return {
    nowMs: () => Date.now() + aheadMs,
    monotonicMs: () => performance.now() + aheadMs,
    sleep: (delayMs: number, signal?: AbortSignal) => systemClock.sleep(delayMs / 50, signal),
    moveOn(ms: number) {
      aheadMs += ms;
    },
  };
}

export interface PlacesRig extends AsyncDisposable {
  readonly directory: string;
  /** What is to end with the rig. */
  readonly stack: AsyncDisposableStack;
  readonly clock: ReturnType<typeof createHastyClock>;
  readonly picture: ReturnType<typeof createPicture>;
  readonly own: OwnAuthority;
  readonly places: Places;
  readonly revocations: Revocations;
  /** Places of the same node in its next life. */
  open(issuer?: Issuer): Promise<Places>;
  /** A place for a container of a service that has these labels. */
  grant(name: string, labels: Readonly<Record<string, string>>): Promise<Access>;
  /** What the container of a place is given. */
  ask(access: Access): Promise<NodeIdentity>;
  /** Serial numbers of what is believed no more. */
  listRevoked(): readonly string[];
}

/** Opens a node's places, which nobody has yet. */
export async function openPlacesRig(): Promise<PlacesRig> {
  await using opening = new AsyncDisposableStack();
  const directory = mkdtempSync(joinPath(tmpdir(), "fairlead-places-"));
  opening.defer(() => rmSync(directory, { recursive: true }));
  const stack = opening.use(new AsyncDisposableStack());
  const clock = createHastyClock();
  const picture = createPicture();
  const logger = silentLogger;
  const fabric = stack.use(await openTestFabric(directory, { clock }));
  const store = stack.use(await openStore({ kind: "memory" }, { clock }));
  const own = await openOwnAuthority({ store, secret: SECRET, name: "Host7", clock, logger });
  const revocations = await openRevocations({
    openStore: () => Promise.resolve(store),
    own: undefined,
    node: "Host7",
    clock,
    logger,
  });

  async function open(issuer: Issuer = own.issuer): Promise<Places> {
    const at = joinPath(directory, "places");
    mkdirSync(at, { recursive: true });
    const issued = await openIssuedBook({ store, revocations, given: undefined, clock, logger });
    const parts = { fabric, board: picture, issuer, issued, revocations };
    return stack.use(createPlaces({ ...parts, directory: at, clock, logger }));
  }

  const places = await open();
  const stopping = new AbortController();
  const running = Promise.all([places.run(stopping.signal), revocations.run(stopping.signal)]);
  stack.defer(async () => {
    stopping.abort();
    await running;
  });
  const owned = opening.move();
  return {
    directory,
    stack,
    clock,
    picture,
    own,
    places,
    revocations,
    open,
    async grant(name, labels) {
      const service = buildService({ name, container: { Image: "app:1", Labels: labels } });
      const access = await places.grant("shop", service);
      assert.ok(access !== undefined);
      return access;
    },
    ask: async (access) => stack.use(await openIdentity({ node: dialOf(access) })),
    listRevoked: () => revocations.list().map(({ serial }) => serial),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Labels of a container that is an agent, and of one that has files besides. */
export const AGENT = { "fairlead.kind": "agent" };
export const FILES = { ...AGENT, "fairlead.identity": "files" };

/** Labels of a container that has its certificate in files. */
export const filesOf = ({ place }: Access) => ({ [OWN_LABELS.place]: place, ...FILES });

/** The container of a place, in its first life unless another is named. */
export function container(name: string, { place }: Access, parts: Partial<InstanceFact> = {}) {
  const labels = { [OWN_LABELS.place]: place, ...AGENT };
  const made = { id: `id-${name}`, service: name, startedAtMs: 1, state: "running" as const };
  return buildInstance({ ...made, labels, ...parts });
}

/** Where the container of a place joins. */
export const dialOf = (access: Access): string => `unix:${access.directory}/fabric.sock`;

/** Resolves with the next certificate that comes. */
export function nextOf(identity: NodeIdentity): Promise<X509Certificate> {
  return new Promise((resolve) => {
    identity.onChange(({ cert }) => resolve(new X509Certificate(cert)));
  });
}

/** As it is listed. */
export const serialOf = ({ cert }: { readonly cert: Buffer }): string =>
  new X509Certificate(cert).serialNumber.toLowerCase();

/** Looks until something holds; throws after 30 s. */
export async function until(holds: () => boolean): Promise<void> {
  const giveUp = AbortSignal.timeout(30_000);
  while (!holds()) await systemClock.sleep(5, giveUp);
}
