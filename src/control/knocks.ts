// SPDX-License-Identifier: Apache-2.0
// How a host that joins learns whether others connect to it: it asks some of them on the roll to knock at its door.
import { z } from "zod";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Store } from "#store/store.ts";
import type { Fleet } from "./fleet.ts";
import { ROLL } from "./roll-entries.ts";

/** Before the id of the node that asks. */
const KNOCKS = `${ROLL}knocks/`;

/** What a host that joins asks others for. */
const Knock = z.object({
  /** Where it says that it is reached. */
  address: z.string().min(1).max(64),
  port: z.number().int().min(1).max(65_535),
  /** What is to be said there. */
  word: z.string().min(1).max(64),
  /** Ids of those who are asked. */
  asked: z.array(z.string()).max(8),
});
type Knock = z.infer<typeof Knock>;

/** Its entry goes with who has put it there. */
const LEASE_MS = 15_000;

/** Asks; what is given back takes the question back. Throws what the store throws. */
export async function askForKnock(
  store: Store,
  id: string,
  asked: Knock,
): Promise<AsyncDisposable> {
  const { id: lease } = await store.grantLease(LEASE_MS);
  await store.transact([{ kind: "put", key: KNOCKS + id, value: asked, lease }]);
  return {
    async [Symbol.asyncDispose]() {
      await store.revokeLease(lease);
    },
  };
}

/** Where a node is to knock, if the entry is one of these and asks for it. */
function readKnock(
  { key, value }: { readonly key: string; readonly value?: unknown },
  self: string,
): Knock | undefined {
  const knock = key.startsWith(KNOCKS) ? Knock.safeParse(value).data : undefined;
  return knock?.asked.includes(self) === true ? knock : undefined;
}

/** Lets a host that joins know that it is connected to, if the entry asks for it; one that is not learns so by silence. */
export function answerKnock(
  change: { readonly key: string; readonly value?: unknown },
  fleet: Pick<Fleet, "knock">,
  { self, logger }: { readonly self: string; readonly logger: Logger },
): void {
  const asked = readKnock(change, self);
  if (asked === undefined) return;
  fleet.knock(asked, asked.word).catch((thrown: unknown) =>
    logger.warn("a host that joins cannot be connected to", {
      address: `${asked.address}:${asked.port}`,
      reason: FairleadError.from(thrown).message,
    }),
  );
}
