// SPDX-License-Identifier: Apache-2.0
import { parseJoinToken } from "@fairlead/protocol/join-token.ts";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { enterFleet } from "#cli/enter-fleet.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";

/** `fairlead join TOKEN` */
export async function run(context: Context): Promise<number> {
  const [text = ""] = context.parsed.arguments;
  const parsed = parseJoinToken(text.trim());
  if (!parsed.ok) throw new FairleadError(cliErrors["bad-token"], parsed.problem);
  const { id, secret, ...entry } = parsed.token;
  const entered = await enterFleet(context, { ...entry, proof: { id, secret } });
  const [first] = entered.heard;
  const seen =
    first === undefined
      ? "no other node of it lives now, so whether others reach this one is not known"
      : `${entered.heard.join(", ")} answered`;
  context.out.note(`joined ${entry.fleet} at ${entered.address}: ${seen} (fairlead nodes)`);
  return EXIT.ok;
}
