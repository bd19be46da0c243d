// SPDX-License-Identifier: Apache-2.0
// Images that a person wants made or fetched: each is one decision, told line by line while it goes on.
import { FairleadError } from "#base/errors.ts";
import { createAsyncQueue } from "#base/queue.ts";
import type { PlannedAction } from "#model/action.ts";
import { failLookup } from "./lookup.ts";
import type { OperationsOptions } from "./operations-options.ts";
import type { Caller, Operations } from "./operations.ts";

type ImageWork = Pick<Operations, "build" | "pull">;

/** Lines that may wait for a slow reader; beyond that they are left out. */
const LINES_MAX = 20_000;

/** What the engine is asked for; resolves when it is done. */
type Work = (
  decision: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
) => Promise<void>;

/** Makes the operations on images. */
export function createImageWork(options: OperationsOptions): ImageWork {
  const { board, engine, clock, decisions } = options;

  async function* perform(
    { reason, scope }: { readonly scope: string; readonly reason?: string | undefined },
    action: PlannedAction,
    caller: Caller,
    work: Work,
  ): AsyncGenerator<string> {
    const asked = { actor: caller.actor, ...(reason === undefined ? {} : { reason }) };
    const decision = await decisions.begin(action, { scope, ...asked });
    const lines = createAsyncQueue<string>(LINES_MAX, caller.signal);
    const done = work(decision.id, caller.signal, (line) => void lines.push(line)).then(
      async () => {
        await board.refreshImages();
        const [result = ""] = action.title.split(" ");
        await decisions.finish(decision, { outcome: "done", result });
        lines.close();
      },
      async (thrown: unknown) => {
        const error = FairleadError.from(thrown);
        const result = `${error.kind.id}: ${error.message}`;
        await decisions.finish(decision, { outcome: "failed", result });
        lines.close(error);
      },
    );
    yield* lines;
    await done;
  }

  return {
    build(request, caller) {
      const { intent, service: name, context } = request;
      const service = intent.services.find((candidate) => candidate.name === name);
      const wanted = service?.build;
      if (service === undefined || wanted === undefined)
        return failLookup(
          name,
          intent.services.filter((s) => s.build !== undefined).map((s) => s.name),
        );
      const reference = service.container.Image;
      const action: PlannedAction = {
        key: `image/${reference}`,
        act: "image.build",
        service: service.name,
        object: reference,
        title: `built ${reference}`,
        trigger: { kind: "person", detail: "up needs the image", atMs: clock.nowMs() },
        rule: { text: "build", at: service.origins["build"] ?? service.at },
        inputs: { dockerfile: wanted.dockerfile },
        notDone: [],
      };
      const { args, ...rest } = wanted;
      return perform(request, action, caller, (decision, signal, onProgress) =>
        engine.buildImage(context, {
          ...definedOnly(rest),
          buildArgs: args,
          tags: [reference, ...wanted.tags],
          decision,
          signal,
          onProgress,
        }),
      );
    },
    pull(request, caller) {
      const { at, platform, reference, service } = request;
      const action: PlannedAction = {
        key: `image/${reference}`,
        act: "image.pull",
        service,
        object: reference,
        title: `pulled ${reference}`,
        trigger: { kind: "person", detail: "up fetches it each time", atMs: clock.nowMs() },
        rule: { text: "pull_policy: always", ...(at === undefined ? {} : { at }) },
        inputs: {},
        notDone: [],
      };
      return perform(request, action, caller, (decision, signal, onProgress) =>
        engine.pullImage(reference, {
          decision,
          signal,
          onProgress,
          ...(platform === undefined ? {} : { platform }),
        }),
      );
    },
  };
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The object without keys that are undefined. */
function definedOnly<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}
