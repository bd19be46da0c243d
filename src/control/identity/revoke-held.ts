// SPDX-License-Identifier: Apache-2.0
// People take back what containers of this node were given, as when its key may be known to others. The containers go on, with
// another certificate on a new key.
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { DecisionLog } from "#control/decision-log.ts";
import { controlErrors } from "#control/errors.ts";
import type { InstanceFact } from "#model/facts.ts";
import type { EndedCertificates } from "./issued-book.ts";
import type { Places } from "./places.ts";
import type { RevokedCertificate } from "./revocations.ts";

export interface RevokeHeldOptions {
  /** Undefined where the node gives no certificates. */
  readonly places: Pick<Places, "revoke"> | undefined;
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly clock: Clock;
}

/** Who asked for it, and why. */
export interface RevokeAsked {
  readonly actor: string;
  readonly reason?: string;
}

/** For so long the answer waits for a store that other nodes hear by. */
const TOLD_MS = 3_000;

/** Certificates that are believed no more, the newest first. */
export function listRevoked(revoked: readonly RevokedCertificate[]): readonly IdentityView[] {
  return revoked
    .toSorted((a, b) => b.revokedAtMs - a.revokedAtMs)
    .map(({ uri, serial, notAfterMs, revokedAtMs, node }): IdentityView => ({
      kind: "instance",
      uri,
      state: "revoked",
      serial,
      notAfterMs,
      revokedAtMs,
      node,
    }));
}

function describe({ name, scope, service }: InstanceFact, { actor }: RevokeAsked, atMs: number) {
  return {
    key: `identity/${name}`,
    act: "identity.change",
    service,
    object: name,
    title: `revoked the certificates of ${name}`,
    trigger: { kind: "person", detail: `asked by ${actor}`, atMs },
    rule: { text: "what people take back is believed no more, on no node" },
    inputs: { scope },
    notDone: [],
  } as const;
}

/** Takes back what they were given, each as a decision. Throws FL0701 `no-such-object` when none of them was given any. */
export async function revokeHeld(
  { places, decisions, clock }: RevokeHeldOptions,
  instances: readonly InstanceFact[],
  asked: RevokeAsked,
): Promise<readonly IdentityView[]> {
  async function hasBeenTold({ told }: EndedCertificates): Promise<boolean> {
    const enough = new AbortController();
    const late = clock.sleep(TOLD_MS, enough.signal).then(
      () => false,
      () => false,
    );
    const done = await Promise.race([told.then(() => true), late]);
    enough.abort();
    return done;
  }

  async function revoke(instance: InstanceFact): Promise<readonly IdentityView[]> {
    const { scope, name } = instance;
    const action = describe(instance, asked, clock.nowMs());
    const decision = await decisions.begin(action, { scope, ...asked });
    const ended = await places?.revoke(instance);
    const { certificates = [] } = ended ?? {};
    if (ended === undefined || certificates.length === 0) {
      await decisions.finish(decision, { outcome: "failed", result: "it was given none" });
      return [];
    }
    const isTold = await hasBeenTold(ended);
    const serials = certificates.map(({ serial }) => serial).join(", ");
    const others = isTold ? "" : "; other nodes hear of it once the fleet's store answers";
    const result = `believed no more: ${serials}; it goes on with another${others}`;
    await decisions.finish(decision, { outcome: "done", result });
    return certificates.map((one): IdentityView => ({
      kind: "instance",
      state: "revoked",
      ...one,
      instance: name,
      scope,
    }));
  }

  const views: IdentityView[] = [];
  for (const instance of instances) views.push(...(await revoke(instance)));
  if (views.length > 0) return views;
  const names = instances.map(({ name }) => name).join(", ");
  throw new FairleadError(controlErrors["no-such-object"], `${names} has no certificate`, {
    remedy:
      "see `fairlead identity ls` for those that have; the label fairlead.identity of a service gives its containers one",
  });
}
