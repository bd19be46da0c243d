// SPDX-License-Identifier: Apache-2.0
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { cliErrors } from "#cli/errors.ts";
import { EXIT } from "#cli/exit-codes.ts";

/** `fairlead demo`: the same as `npm run demo`, with the same flags and exit codes. */
export function run(context: Context): Promise<number> {
  const script = `${context.root}scripts/demo.ts`;
  if (!existsSync(script)) {
    throw new FairleadError(cliErrors["no-launcher"], "the demo is not there", {
      facts: { file: script },
    });
  }
  const hosts = context.parsed.count("hosts");
  const flags = [
    ...(context.parsed.has("once") ? ["--once"] : []),
    ...(hosts === undefined ? [] : ["--hosts", String(hosts)]),
  ];
  const child = spawn(process.execPath, [script, ...flags], {
    stdio: "inherit",
    cwd: context.root,
  });
  context.signal.addEventListener("abort", () =>
    child.kill(context.signal.reason === "SIGTERM" ? "SIGTERM" : "SIGINT"),
  );
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? EXIT.interrupted));
  });
}
