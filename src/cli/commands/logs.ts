// SPDX-License-Identifier: Apache-2.0
import type { LogLine } from "@fairlead/protocol/routes.ts";
import type { InstanceView } from "@fairlead/protocol/views.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { cleanLogLine } from "#cli/printable.ts";
import { resolveScope } from "#cli/resolve-scope.ts";
import type { Style } from "#cli/style.ts";

const COLORS = [36, 33, 32, 35, 34, 31];

/** One colour for each instance, in order of appearance. */
function createPainter(context: Context): (name: string) => string {
  const seen = new Map<string, number>();
  return (name) => {
    if (!context.out.terminal.color) return name;
    const at = seen.get(name) ?? seen.size;
    seen.set(name, at);
    return `\u001b[${COLORS[at % COLORS.length] ?? 36}m${name}\u001b[0m`;
  };
}

/** The longest name of an instance whose lines may come, so that all lines begin at one column. */
async function measureNames({ api, parsed }: Context, scope: string): Promise<number> {
  const wanted = new Set(parsed.arguments);
  const { items } = await api.list<InstanceView>("instances", { scope });
  const lengths = items.flatMap(({ name, service }) =>
    wanted.size === 0 || wanted.has(service) || wanted.has(name) ? [name.length] : [],
  );
  return Math.max(0, ...lengths);
}

/** `fairlead logs` */
export async function run(context: Context): Promise<number> {
  const { api, out, parsed } = context;
  const sinceMs = parsed.timeMs("since");
  const paint = createPainter(context);
  const scope = await resolveScope(context);
  let width = context.out.forPeople ? await measureNames(context, scope) : 0;
  const render = (line: LogLine, _style: Style) => {
    width = Math.max(width, line.instance.length);
    const time = parsed.has("timestamps") ? `${new Date(line.atMs).toISOString()} ` : "";
    const prefix = parsed.has("no-prefix") ? "" : `${paint(line.instance.padEnd(width))} | `;
    return `${prefix}${time}${cleanLogLine(line.text, out.terminal.color)}`;
  };
  const lines = api.lines<LogLine>("GET", "logs", {
    query: {
      scope,
      name: parsed.arguments,
      follow: parsed.has("follow") ? 1 : 0,
      tail: parsed.count("tail") ?? (sinceMs === undefined ? 100 : 10_000),
      sinceMs: sinceMs === undefined ? undefined : Math.max(0, Math.floor(sinceMs)),
    },
  });
  for await (const line of lines) await out.stream(line, render);
  return EXIT.ok;
}
