// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { cliErrors } from "./errors.ts";

const REPLICAS_MAX = 10_000;

/** An error about one `SERVICE=NUMBER`, FL0605. */
export function refuseScale(text: string, why: string, remedy?: string): FairleadError {
  return new FairleadError(cliErrors["bad-value"], `"${text}" is no number of instances`, {
    facts: { because: why },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** `web=3` as a service and how many instances of it are wanted. Throws FL0605. */
export function readScale(text: string): readonly [service: string, replicas: number] {
  const [, service, count] = /^(.+)=(.*)$/.exec(text) ?? [];
  if (service === undefined || count === undefined)
    throw refuseScale(text, "it is not SERVICE=NUMBER", `write it as ${text || "web"}=3`);
  if (!/^\d{1,5}$/.test(count) || Number(count) > REPLICAS_MAX)
    throw refuseScale(text, `"${count}" is not a number from 0 to ${REPLICAS_MAX}`);
  return [service, Number(count)];
}
