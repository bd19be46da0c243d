// SPDX-License-Identifier: Apache-2.0
import { compileIntent } from "#compose/compile-intent.ts";
import type { LoadResult } from "#compose/project.ts";
import type { Context } from "#cli/context.ts";
import { EXIT } from "#cli/exit-codes.ts";
import { loadComposeProject, printWarnings } from "#cli/load-intent.ts";
import { loadNodeSettings } from "#cli/load-node-settings.ts";
import { wrapItems } from "#cli/output.ts";

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

/** The project as a Compose file: sections that say nothing are left out, `$` is written so that it is read back as one. */
function describeProject({ project }: LoadResult): Record<string, unknown> {
  const { extensions, name, ...sections } = project;
  const filled = Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0);
  return { name, ...mapTexts(Object.fromEntries(filled)), ...mapTexts(extensions) };
}

function mapTexts(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const walk = (one: unknown): unknown => {
    if (typeof one === "string") return one.replaceAll("$", "$$$$");
    if (Array.isArray(one)) return one.map(walk);
    return typeof one === "object" && one !== null
      ? mapTexts(Object.fromEntries(Object.entries(one)))
      : one;
  };
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, walk(one)]));
}

/** `fairlead config`: the effective file; asks no node. With -q only the check. */
export async function run(context: Context): Promise<number> {
  const { out, parsed } = context;
  if (parsed.arguments[0] === "show") return showSettings(context);
  const loaded = await loadComposeProject(context);
  printWarnings(context, compileIntent(loaded).diagnostics);
  if (parsed.has("quiet")) return EXIT.ok;
  if (await listParts(context, loaded)) return EXIT.ok;
  const { stringify } = await import("yaml");
  await out.document(describeProject(loaded), {
    kind: "Project",
    name: () => loaded.project.name,
    text: (item) =>
      stringify(item, { aliasDuplicateObjects: false, lineWidth: 0, version: "1.1" })
        .trimEnd()
        .split("\n"),
  });
  return EXIT.ok;
}
