// SPDX-License-Identifier: Apache-2.0
// Leases as sessions of Consul: their keys are deleted with them, they hang on no health check, and delay no lock.
import type { Lease } from "#store/store.ts";
import type { ConsulConnection } from "./connection.ts";
import { convertAnswer } from "./convert-error.ts";
import { nameLease } from "./plan-transaction.ts";

type Signal = AbortSignal | undefined;

/** Consul ends a session when it was not renewed for twice the time that it was made with. */
const TTL_TIMES = 2;
const TTL_SECONDS_MAX = 86_400;

/** The shortest time that a refusal names, in seconds: `must be between [10s=24h0m0s]`. */
function readShortest(text: string): number | undefined {
  const found = /must be between \[(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?=/.exec(text);
  if (found === null) return undefined;
  const [, hours = "0", minutes = "0", seconds = "0"] = found;
  return Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds);
}

/** One that lasts at least that long; with Consul's defaults at least 20 s, as it refuses shorter ones. */
export async function grantSession(
  connection: ConsulConnection,
  ttlMs: number,
  signal: Signal,
): Promise<Lease> {
  let seconds = Math.min(TTL_SECONDS_MAX, Math.ceil(ttlMs / TTL_TIMES / 1_000));
  for (let isShortest = false; ; isShortest = true) {
    const TTL = `${seconds}s`;
    const checks = { Checks: [], NodeChecks: [] };
    const body = { Name: "fairlead", TTL, Behavior: "delete", LockDelay: "0s", ...checks };
    const path = "/v1/session/create";
    const answer = await askOnce(connection, path, body, signal);
    if (answer.status === 200) {
      const { ID } = JSON.parse(answer.text) as { readonly ID: string };
      return { id: nameLease(ID), ttlMs: seconds * TTL_TIMES * 1_000 };
    }
    const shortest = isShortest ? undefined : readShortest(answer.text);
    if (shortest === undefined) throw convertAnswer(answer, answer.address);
    seconds = shortest;
  }
}

/** A refused time has the status of a failure in some versions: the answer is wanted whatever it is. */
function askOnce(connection: ConsulConnection, path: string, body: unknown, signal: Signal) {
  return connection.send(path, {
    method: "PUT",
    body,
    signal,
    repeatable: true,
    isAnswer: ({ text }) => readShortest(text) !== undefined,
  });
}

/** Gives it its whole time again; false when it has ended. */
export async function renewSession(
  connection: ConsulConnection,
  id: string,
  signal: Signal,
): Promise<boolean> {
  const options = { method: "PUT", signal, repeatable: true } as const;
  const { status } = await connection.ask(`/v1/session/renew/${id}`, options, [200, 404]);
  return status === 200;
}

/** Ends it and deletes its keys. One that has ended is fine. */
export async function destroySession(
  connection: ConsulConnection,
  id: string,
  signal: Signal,
): Promise<void> {
  const options = { method: "PUT", signal, repeatable: true } as const;
  await connection.ask(`/v1/session/destroy/${id}`, options, [200, 404]);
}
