// SPDX-License-Identifier: Apache-2.0
// Secrets live in environment variables, build arguments and inline files. They are needed to make containers again,
// and no answer, log or record ever shows them.
import type { Intent, ServiceIntent } from "#model/intent.ts";

/** What stands where a value was. */
export const HIDDEN = "[hidden]";

/** `NAME=value` → `NAME=[hidden]`. */
export function hideVariable(variable: string): string {
  const at = variable.indexOf("=");
  return at < 0 ? variable : `${variable.slice(0, at)}=${HIDDEN}`;
}

function hideService(service: ServiceIntent): ServiceIntent {
  const { container, build } = service;
  const args = Object.fromEntries(Object.keys(build?.args ?? {}).map((name) => [name, HIDDEN]));
  return {
    ...service,
    container: {
      ...container,
      ...(container.Env === undefined ? {} : { Env: container.Env.map(hideVariable) }),
    },
    files: service.files.map((file) => ({ ...file, content: "" })),
    ...(build === undefined ? {} : { build: { ...build, args } }),
  };
}

/** The intent as it may be shown. */
export function hideIntent(intent: Intent): Intent {
  return { ...intent, services: intent.services.map(hideService) };
}

/** The engine's inspect document as it may be shown. */
export function hideDocument(document: Record<string, unknown>): Record<string, unknown> {
  const config = document["Config"];
  if (typeof config !== "object" || config === null) return document;
  const env = (config as { Env?: unknown }).Env;
  const hidden = Array.isArray(env) ? env.map((variable) => hideVariable(String(variable))) : env;
  return { ...document, Config: { ...config, Env: hidden } };
}
