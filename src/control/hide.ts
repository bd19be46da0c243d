// SPDX-License-Identifier: Apache-2.0
// Secrets live in environment variables, build arguments and inline files. They are needed to make containers again,
// and no answer, log or record ever shows them: not where they are declared, and not where the same value turns up again,
// in a command that it was written into, in what a health check says, in the last lines of a log.
import { createMask, HIDDEN, hideVariable, listPasswordsInUrls } from "#base/secrets.ts";
import type { Facts } from "#model/facts.ts";
import type { Intent, ServiceIntent } from "#model/intent.ts";

/** Variables whose value is looked for elsewhere. Others are hidden where they stand. */
const SECRET_NAME =
  /pass|pwd|secret|token|key|cred|auth|private|salt|cookie|session|cert|dsn|conn|sign|ur[il]$/i;
function listFromVariable(name: string, value: string): string[] {
  const passwords = listPasswordsInUrls(value);
  if (passwords.length > 0) return [...passwords];
  if (!SECRET_NAME.test(name) || value.includes("://")) return [];
  return value.split("\n");
}

function listFromVariables(variables: readonly unknown[]): string[] {
  return variables.map(String).flatMap((variable) => {
    const at = variable.indexOf("=");
    return at < 0 ? [] : listFromVariable(variable.slice(0, at), variable.slice(at + 1));
  });
}

/** Values of a service that must not be shown wherever they turn up, the longest first. */
function listSecrets({ container, build, files }: ServiceIntent): string[] {
  const args = Object.entries(build?.args ?? {}).flatMap(([name, value]) =>
    listFromVariable(name, value),
  );
  const contents = files.flatMap(({ content }) =>
    Buffer.from(content, "base64").toString("utf8").split("\n"),
  );
  return [...listFromVariables(container.Env ?? []), ...args, ...contents];
}

/** Hides the secrets of a service in what its containers say; of none when it is not known. */
export function createServiceMask(service: ServiceIntent | undefined): (text: string) => string {
  return createMask(service === undefined ? [] : listSecrets(service));
}

/**
 * The same for what many containers say line by line: the mask of a service is made once, as long as its intent stays.
 */
export function createMaskCache(): (
  service: ServiceIntent | undefined,
) => (text: string) => string {
  const known = new WeakMap<ServiceIntent, (text: string) => string>();
  return (service) => {
    if (service === undefined) return createServiceMask(undefined);
    const mask = known.get(service) ?? createServiceMask(service);
    known.set(service, mask);
    return mask;
  };
}

/**
 * Facts in which the engine's words quote no secret: of a command that it could not run it tells every word, and brain
 * says them again in its reasons.
 */
export function hideInFacts(facts: Facts, { scope, services }: Intent): Facts {
  if (facts.instances.every((one) => one.error === "" || one.scope !== scope)) return facts;
  const instances = facts.instances.map((one) => {
    if (one.error === "" || one.scope !== scope) return one;
    const mask = createServiceMask(services.find(({ name }) => name === one.service));
    return { ...one, error: mask(one.error) };
  });
  return { ...facts, instances };
}

/** The same value with every text in it passed through `mask`. */
function maskDeep(value: unknown, mask: (text: string) => string): unknown {
  if (typeof value === "string") return mask(value);
  if (Array.isArray(value)) return value.map((one) => maskDeep(one, mask));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, maskDeep(one, mask)]));
}

function hideService(service: ServiceIntent): ServiceIntent {
  const { container, build } = service;
  const args = Object.fromEntries(Object.keys(build?.args ?? {}).map((name) => [name, HIDDEN]));
  const { Image, Env, ...rest } = container;
  return {
    ...service,
    container: {
      ...(maskDeep(rest, createServiceMask(service)) as typeof rest),
      // A password that is the name of its program hides no image.
      Image,
      ...(Env === undefined ? {} : { Env: Env.map(hideVariable) }),
    },
    files: service.files.map((file) => ({ ...file, content: "" })),
    ...(build === undefined ? {} : { build: { ...build, args } }),
  };
}

/** The intent as it may be shown. */
export function hideIntent(intent: Intent): Intent {
  return { ...intent, services: intent.services.map(hideService) };
}

/** The engine's inspect document as it may be shown; with the secrets of the service, where it is known. */
export function hideDocument(
  document: Record<string, unknown>,
  service?: ServiceIntent,
): Record<string, unknown> {
  const config = document["Config"];
  if (typeof config !== "object" || config === null) return document;
  const { Env: env, Image, ...words } = config as { Env?: unknown; Image?: unknown };
  const variables: readonly unknown[] = Array.isArray(env) ? env : [];
  const hidden = Array.isArray(env) ? variables.map((one) => hideVariable(String(one))) : env;
  const secrets = service === undefined ? [] : listSecrets(service);
  const mask = createMask([...listFromVariables(variables), ...secrets]);
  const spoken = ["Path", "Args", "State"].filter((key) => key in document);
  return {
    ...document,
    ...Object.fromEntries(spoken.map((key) => [key, maskDeep(document[key], mask)])),
    Config: { ...(maskDeep(words, mask) as object), Image, Env: hidden },
  };
}
