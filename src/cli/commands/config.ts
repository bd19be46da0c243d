// SPDX-License-Identifier: Apache-2.0
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadComposeProject, printWarnings } from "#cli/load-intent.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { wrapItems } from "#cli/output.ts";
import { compileIntent } from "#compose/compile-intent.ts";
import type { LoadResult } from "#compose/project.ts";
import { renderProject } from "#compose/render-project.ts";

/** `fairlead config show`: the settings that a node started here would have. */
async function showSettings(context: Context): Promise<number> {
  const loaded = loadNodeSettings(context, {});
  const settings: Readonly<Record<string, unknown>> = loaded.settings;
  const rows = Object.entries(loaded.origins).map(([path, origin]) => {
    const [group = "", inner] = path.split(".");
    const outer = settings[group];
    const nested = new Map(
      Object.entries(typeof outer === "object" && outer !== null ? outer : {}),
    );
    return { setting: path, value: inner === undefined ? outer : nested.get(inner), origin };
  });
  for (const warning of loaded.warnings) context.out.warn(`warning: ${warning}`);
  const withOrigin = context.parsed.has("origin");
  await context.out.list(wrapItems("SettingList", rows), {
    name: (item) => item.setting,
    empty: "",
    columns: [
      { key: "setting", title: "SETTING", value: (item) => item.setting },
      { key: "value", title: "VALUE", value: (item) => String(item.value) },
      { key: "origin", title: "ORIGIN", value: (item) => item.origin, hidden: !withOrigin },
    ],
  });
  return EXIT.ok;
}

/** Names, images or hashes of services, one a line. */
async function listParts(context: Context, loaded: LoadResult): Promise<boolean> {
  const { out, parsed } = context;
  if (!["services", "images", "hash"].some((flag) => parsed.has(flag))) return false;
  const services = compileIntent(loaded).services.map(({ container, hash, name }) => ({
    service: name,
    image: container.Image,
    hash,
  }));
  const show = (item: (typeof services)[number]) => {
    if (parsed.has("services")) return item.service;
    return parsed.has("images") ? item.image : `${item.service} ${item.hash}`;
  };
  if (out.forPeople) for (const item of services) out.line(show(item));
  else await out.list(wrapItems("ServiceParts", services), { name: show, empty: "", columns: [] });
  return true;
}

/** `fairlead config`: the effective file; asks no node. With -q only the check. */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  if (parsed.arguments[0] === "show") return showSettings(context);
  const loaded = await loadComposeProject(context);
  printWarnings(context, compileIntent(loaded).diagnostics);
  if (parsed.has("quiet")) return EXIT.ok;
  if (await listParts(context, loaded)) return EXIT.ok;
  const text = renderProject(loaded.project);
  const { parse } = await import("yaml");
  const project: unknown = parse(text);
  await out.document(project, {
    kind: "Project",
    name: () => loaded.project.name,
    text: () => text.trimEnd().split("\n"),
  });
  return EXIT.ok;
}
