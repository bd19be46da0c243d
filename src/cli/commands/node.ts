// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { stopNode } from "#cli/stop-node.ts";

function readFlags(context: Context): Record<string, string> {
  const pairs = context.parsed.list("set").map((text): [string, string] => {
    const at = text.indexOf("=");
    return [text.slice(0, at), text.slice(at + 1)];
  });
  const socket = context.parsed.text("socket");
  return { ...Object.fromEntries(pairs), ...(socket === undefined ? {} : { socket }) };
}

/** `fairlead node` and `fairlead node stop` */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  if (parsed.arguments[0] === "stop") {
    const pid = await stopNode(context);
    out.note(`node with pid ${pid} has ended; containers go on without it`);
    return EXIT.ok;
  }
  const loaded = loadNodeSettings(context, readFlags(context), parsed.text("config"));
  for (const warning of loaded.warnings) out.warn(`warning: ${warning}`);
  return context.runNode(loaded.settings, context.signal);
}
