// SPDX-License-Identifier: Apache-2.0
import { AGENT_NAME, isIdOf } from "@fairlead/protocol/names.ts";
import { FabricError } from "./errors.ts";

const SCOPE = /^[^/]{1,63}$/;

function refuse(message: string): FabricError {
  return new FabricError("invalid_argument", message, { reason: "identity" });
}

/**
 * Throws `invalid_argument` when an agent's Hello has a name that is none, or an id that does not belong to its name: an id
 * that could be somebody's name would take the calls that are meant for them. A node, which has no scope, is let pass.
 */
export function checkIdentity(who: {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
}): void {
  const { id, name, scope } = who;
  if (scope === "") return;
  if (!SCOPE.test(scope) || !AGENT_NAME.test(name))
    throw refuse(`"${scope}/${name}" is the name of no agent`);
  if (!isIdOf(id, name))
    throw refuse(`"${id}" is no id of ${name}; use "${name}." and up to 32 of a-z and 0-9`);
}
