// SPDX-License-Identifier: Apache-2.0
// What goes into a bundle goes through here: known secrets of this host, what is secret by its form or by the name of
// its field, and what users' programs are told or say.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createMask,
  HIDDEN,
  hideByForm,
  hidePrivateKeys,
  hideVariable,
  isSecretField,
} from "#base/secrets.ts";
import type { World } from "#cli/context.ts";
import { locateNodeFiles, findPlaces } from "#config/node-files.ts";
import type { Settings } from "#config/settings.ts";

/** Names of variables whose value is looked for in everything. */
const SECRET_VARIABLE = /pass|pwd|secret|token|key|cred|auth|private|salt|cookie|session|cert|dsn/i;
/** Labels of these are Fairlead's and Compose's own words; the values of others may say anything. */
const OWN_LABEL = /^(io\.)?fairlead\.|^com\.docker\.compose\./;
/** Fields whose words are users': what programs are started with, and what they wrote. */
const USERS_WORDS: ReadonlySet<string> = new Set([
  "Cmd",
  "Entrypoint",
  "Test",
  "args",
  "content",
  "dockerfileInline",
  "logTail",
  "healthOutput",
]);

function readText(path: string): string {
  try {
    return path === "" ? "" : readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Passwords and tokens of registries, as `docker login` keeps them. */
function listRegistrySecrets({ env }: Pick<World, "env">): readonly string[] {
  const directory = env["DOCKER_CONFIG"] ?? join(env["HOME"] ?? "/root", ".docker");
  try {
    const { auths = {} } = JSON.parse(readText(join(directory, "config.json"))) as {
      auths?: Record<string, Record<string, unknown>>;
    };
    return Object.values(auths).flatMap((entry) =>
      Object.entries(entry).flatMap(([name, value]) => {
        if (typeof value !== "string") return [];
        if (name !== "auth") return [value];
        const plain = Buffer.from(value, "base64").toString("utf8");
        return [value, plain, plain.slice(plain.indexOf(":") + 1)];
      }),
    );
  } catch {
    return [];
  }
}

/** What the node's own files hold. */
function listFileSecrets(settings: Settings | undefined): readonly string[] {
  if (settings === undefined) return [];
  const { store, fabric, discovery } = settings;
  const files = locateNodeFiles(findPlaces(settings));
  const own = [files.token, files.fabricSecret, files.auditKey, files.tunnelKey, files.fleetScopes];
  const named = [store.passwordFile, store.keyFile, fabric.keyFile, discovery.keyFile];
  return [...own, `${files.tunnelKey}.next`, ...named].flatMap((path) => {
    const text = readText(path);
    return [text, ...text.split("\n").filter((line) => !line.startsWith("-----"))];
  });
}

/** Makes the mask of this host's own secrets, and of what is secret by its form. */
export function createHostMask(
  world: Pick<World, "env">,
  settings: Settings | undefined,
): (text: string) => string {
  const variables = Object.entries(world.env).flatMap(([name, value]) =>
    value !== undefined && SECRET_VARIABLE.test(name) && !value.startsWith("/") ? [value] : [],
  );
  const mask = createMask([
    ...variables,
    ...listRegistrySecrets(world),
    ...listFileSecrets(settings),
  ]);
  return (text) => hideByForm(mask(text));
}

function hideWords(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [`[${value.length} left out]`];
  return typeof value === "string" && value !== "" ? HIDDEN : value;
}

function hideLabels(labels: Record<string, unknown>, mask: (text: string) => string): unknown {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [
      name,
      OWN_LABEL.test(name) ? hideInDocument(value, mask) : HIDDEN,
    ]),
  );
}

/** A document as it may be given away; its shape stays. */
export function hideInDocument(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((one) => hideInDocument(one, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]): [string, unknown] => {
      if (USERS_WORDS.has(name)) return [name, hideWords(one)];
      if (name === "Env" && Array.isArray(one))
        return [name, one.map((variable) => hideVariable(String(variable)))];
      if (name === "Labels" && typeof one === "object" && one !== null)
        return [name, hideLabels(one as Record<string, unknown>, mask)];
      if (isSecretField(name) && typeof one === "string") return [name, HIDDEN];
      return [name, hideInDocument(one, mask)];
    }),
  );
}

/** Lines of a log: those that are JSON as documents, others as text. */
export function hideInLog(text: string, mask: (text: string) => string): string {
  return hidePrivateKeys(text)
    .split("\n")
    .map((line) => {
      if (!line.startsWith("{")) return mask(line);
      try {
        return JSON.stringify(hideInDocument(JSON.parse(line), mask));
      } catch {
        return mask(line);
      }
    })
    .join("\n");
}
