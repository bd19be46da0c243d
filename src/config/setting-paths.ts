// SPDX-License-Identifier: Apache-2.0
import { z } from "zod";
import { SettingsSchema } from "./settings.ts";

/** Every setting's dotted path, in the schema's order. */
export function listSettingPaths(): string[] {
  return Object.entries(SettingsSchema.shape).flatMap(([key, schema]) =>
    schema instanceof z.ZodObject
      ? Object.keys(schema.shape).map((inner) => `${key}.${inner}`)
      : [key],
  );
}

/** The environment variable of a setting: `decisions.keepDays` → `FAIRLEAD_DECISIONS_KEEP_DAYS`. */
export function nameVariable(path: string): string {
  const words = path.replaceAll(".", "_").replaceAll(/([a-z])([A-Z])/g, "$1_$2");
  return `FAIRLEAD_${words.toUpperCase()}`;
}
