// SPDX-License-Identifier: Apache-2.0
// One run of the command line: words in, exit code out.
import { baseErrors, FairleadError } from "#base/errors.ts";
import { createApiClient } from "./api-client.ts";
import type { World } from "./context.ts";
import { chooseExitCode, EXIT } from "./exit-codes.ts";
import { findSocket } from "./find-socket.ts";
import { createOutput, FORMS } from "./output.ts";
import { parseCommandLine } from "./parse-command-line.ts";
import { describeError, renderError } from "./print-error.ts";
import { renderHelp } from "./render-help.ts";
import { createStyle } from "./style.ts";
import { detectTerminal, findColumns, type Terminal } from "./terminal.ts";
import { wrapHelp } from "./wrap-help.ts";

function oneOf<T extends string>(value: string | undefined, words: readonly T[], otherwise: T): T {
  return words.find((word) => word === value) ?? otherwise;
}

/** The terminal before the line is understood: errors in it must come out in the form asked for all the same. */
function guess(words: readonly string[], world: World): { terminal: Terminal; asJson: boolean } {
  const read = (long: string, short: string) => {
    for (const [at, word] of words.entries()) {
      if (word === long || word === short) return words[at + 1];
      if (word.startsWith(`${long}=`)) return word.slice(long.length + 1);
      if (short !== "" && word.startsWith(short) && !word.startsWith("--"))
        return word.slice(short.length);
    }
    return undefined;
  };
  const color = oneOf(read("--color", ""), ["auto", "always", "never"], "auto");
  const form = read("--output", "-o");
  const terminal = detectTerminal(
    { env: world.env, stdout: world.stdout, stderr: world.stderr },
    { color, progress: "plain" },
  );
  return { terminal, asJson: form === "json" || form === "jsonl" };
}

async function runWords(words: readonly string[], world: World): Promise<number> {
  const request = parseCommandLine(words, renderHelp);
  if (request.kind === "help") {
    const columns = findColumns(world);
    world.stdout.write(columns === undefined ? request.text : wrapHelp(request.text, columns));
    return EXIT.ok;
  }
  const { command, parsed } = request;
  const terminal = detectTerminal(
    { env: world.env, stdout: world.stdout, stderr: world.stderr },
    {
      color: oneOf(parsed.text("color"), ["auto", "always", "never"], "auto"),
      progress: oneOf(parsed.text("progress"), ["auto", "tty", "plain", "json", "quiet"], "auto"),
    },
  );
  const out = createOutput({
    form: oneOf(parsed.text("output"), FORMS, "table"),
    quiet: parsed.has("quiet"),
    filters: parsed.list("filter"),
    terminal,
    stdout: (text) => void world.stdout.write(text),
    stderr: (text) => void world.stderr.write(text),
  });
  const found = await findSocket(parsed, world);
  const api = createApiClient({ ...found, token: world.env["FAIRLEAD_TOKEN"] }, world.signal);
  const { run } = await command.load();
  return run({ ...world, parsed, out, socket: found.socket, api });
}

/** How an interrupted run ends: by the signal that ended it. */
function codeOfInterruption(signal: AbortSignal): number {
  return signal.reason === "SIGTERM" ? EXIT.terminated : EXIT.interrupted;
}

/** Runs a command line and returns its exit code; errors are printed, never thrown. */
export async function runCli(words: readonly string[], world: World): Promise<number> {
  try {
    const code = await runWords(words, world);
    return world.signal.aborted && code === EXIT.ok ? codeOfInterruption(world.signal) : code;
  } catch (thrown) {
    const error = FairleadError.from(thrown, baseErrors.internal);
    if (world.signal.aborted) return codeOfInterruption(world.signal);
    const { terminal, asJson } = guess(words, world);
    const style = createStyle(terminal.errorColor, terminal.unicode);
    const text = asJson
      ? JSON.stringify(describeError(error))
      : renderError(error, style).join("\n");
    world.stderr.write(`${text}\n`);
    if (error.kind.id === baseErrors.internal.id && world.env["FAIRLEAD_DEBUG"] !== undefined) {
      world.stderr.write(`${error.stack ?? ""}\n${String(error.cause)}\n`);
    }
    return chooseExitCode(error);
  }
}
