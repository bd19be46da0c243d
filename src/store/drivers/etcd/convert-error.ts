// SPDX-License-Identifier: Apache-2.0
// What etcd and gRPC say, as errors of the store.
import { status, type ServiceError } from "@grpc/grpc-js";
import { FairleadError, type ErrorKind } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";

const BY_TEXT: readonly (readonly [RegExp, ErrorKind])[] = [
  [/database space exceeded|no space/, storeErrors["store-full"]],
  [/required revision has been compacted/, storeErrors["store-lagged"]],
  [/requested lease not found/, storeErrors["lease-expired"]],
  [/too many operations|request is too large|larger than max/, storeErrors["store-limit"]],
  [
    /permission denied|authentication failed|user name is empty|invalid auth token|authentication is not enabled/,
    storeErrors["store-refused"],
  ],
];

/** Whether it is an error of gRPC. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && "details" in thrown;
}

/** Whether the token has run out or belongs to a member that was started anew. */
export function isTokenRefused(thrown: unknown): boolean {
  return isServiceError(thrown) && /invalid auth token|user name is empty/.test(thrown.details);
}

/** Whether another member may do better. */
export function isMemberAway(thrown: unknown): boolean {
  return (
    isServiceError(thrown) &&
    (thrown.code === status.UNAVAILABLE || thrown.code === status.DEADLINE_EXCEEDED)
  );
}

/** What to try when etcd does not do what it should. */
export function suggestHealth(endpoints: string): string {
  return `check that etcd runs and is reached: etcdctl --endpoints=${endpoints} endpoint health`;
}

/** The store's error for what a call of etcd was rejected with. */
export function convertError(thrown: unknown, address: string): FairleadError {
  if (!isServiceError(thrown)) return FairleadError.from(thrown);
  const known = BY_TEXT.find(([pattern]) => pattern.test(thrown.details));
  const kind = known?.[1] ?? storeErrors["store-unavailable"];
  return new FairleadError(kind, `etcd at ${address} says: ${thrown.details}`, {
    cause: thrown,
    facts: { endpoint: address, status: status[thrown.code] ?? thrown.code },
    ...(known === undefined ? { remedy: suggestHealth(address) } : {}),
  });
}
