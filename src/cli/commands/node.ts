// SPDX-License-Identifier: Apache-2.0
import { FairleadError } from "#base/errors.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { stopNode } from "#cli/stop-node.ts";
import type { LoadedSettings } from "#config/load-settings.ts";

function readFlags(context: Context): Record<string, string> {
  const pairs = context.parsed.list("set").map((text): [string, string] => {
    const at = text.indexOf("=");
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const socket = context.parsed.text("socket");
  return { ...Object.fromEntries(pairs), ...(socket === undefined ? {} : { socket }) };
}

function load(context: Context): LoadedSettings {
  return loadNodeSettings(context, readFlags(context), { file: context.parsed.text("config") });
}

/** Aborts when the settings are to be read again, and can be: with bad ones the node goes on as it is. */
function awaitReload(context: Context): { readonly signal: AbortSignal; stop(): void } {
  const reload = new AbortController();
  const stop = context.onReload(() => {
    try {
      load(context);
      reload.abort("it reads its settings again");
    } catch (thrown) {
      context.out.warn(`the settings are not read again: ${FairleadError.from(thrown).message}`);
    }
  });
  return { signal: reload.signal, stop };
}

/** `fairlead node` and `fairlead node stop` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  if (parsed.arguments[0] === "stop") {
    const pid = await stopNode(context);
    out.note(`node with pid ${pid} has ended; containers go on without it`);
    return EXIT.ok;
  }
  for (;;) {
    const loaded = load(context);
    for (const warning of loaded.warnings) out.warn(`warning: ${warning}`);
    const reload = awaitReload(context);
    try {
      const either = AbortSignal.any([context.signal, reload.signal]);
      const code = await context.runNode(loaded.settings, either);
      if (context.signal.aborted || !reload.signal.aborted) return code;
    } finally {
      reload.stop();
    }
  }
}
