// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import type { CreateRequest, Engine, WriteOptions } from "#engine/engine.ts";

/** An engine under test, all its own. */
export interface EngineFixture {
  readonly engine: Engine;
  /** An image it has: busybox, which sleeps by default and ends at once when killed. */
  readonly image: string;
}

/** Throws when the promise is not kept. */
export type Rule = (fixture: EngineFixture) => Promise<void>;

/** What every write of the rules says it is for. */
export const BY: WriteOptions = { decision: "d-conformance" };

/** A create of the fixture's image, with no network unless said. */
export function toRequest(
  { image }: EngineFixture,
  name: string,
  config: Partial<CreateRequest["config"]> = {},
  more: Partial<CreateRequest> = {},
): CreateRequest {
  return {
    name,
    config: { Image: image, ...config } as CreateRequest["config"],
    labels: {},
    networkMode: "none",
    endpoints: [],
    ...more,
  };
}

/** Makes and starts a container, hands it over, and removes it whatever happens. */
export async function withContainer(
  fixture: EngineFixture,
  request: CreateRequest,
  use: (id: string) => Promise<void>,
): Promise<void> {
  const { engine } = fixture;
  const id = await engine.createInstance(request, BY);
  try {
    await engine.startInstance(id, BY);
    await use(id);
  } finally {
    await engine.removeInstance(id, { ...BY, force: true, anonymousVolumes: true });
  }
}

/** For `assert.rejects`: an error of that kind. */
export function isSlug(slug: string): (error: unknown) => boolean {
  return (error) => {
    if (error instanceof FairleadError && error.kind.slug === slug) return true;
    throw error;
  };
}

/** All that comes, until the end or until `count` came. */
export async function collect<T>(
  source: AsyncIterable<T>,
  count = Number.POSITIVE_INFINITY,
): Promise<readonly T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
    if (items.length >= count) break;
  }
  return items;
}

/** Returns once the container has ended. Throws when it does not within 30 s. */
export async function awaitEnd(engine: Engine, id: string): Promise<void> {
  const created = await engine.inspectInstance(id);
  const signal = AbortSignal.timeout(30_000);
  const sinceNs = BigInt(Math.floor(created?.createdAtMs ?? 0)) * 1_000_000n;
  for await (const item of engine.watch({ sinceNs, signal }))
    if (item.kind === "event" && item.event.id === id && item.event.action === "die") return;
  throw new Error(`${created?.name ?? id} does not end`);
}
