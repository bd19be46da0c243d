// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import { renderBash, renderFish, renderZsh } from "#cli/completion-scripts.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";

const SHELLS: Readonly<Record<string, () => string>> = {
  bash: renderBash,
  zsh: renderZsh,
  fish: renderFish,
};

/** `fairlead completion`: `source <(fairlead completion bash)` */
export async function run(context: Context): Promise<number> {
  const [shell = ""] = context.parsed.arguments;
  const render = SHELLS[shell];
  if (render === undefined) {
    throw new FairleadError(cliErrors["bad-value"], `there is no completion for "${shell}"`, {
      facts: { shells: Object.keys(SHELLS).join(", ") },
    });
  }
  process.stdout.write(render());
  return EXIT.ok;
}
