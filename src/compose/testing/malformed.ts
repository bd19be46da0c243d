// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { DIRECTORY } from "./load-text.ts";

const Case = z.strictObject({
  name: z.string(),
  text: z.string(),
  files: z.record(z.string(), z.string()).default({}),
  profiles: z.array(z.string()).default([]),
  severity: z.enum(["error", "warning"]).default("error"),
  id: z.string(),
  line: z.number(),
  file: z.string().default(`${DIRECTORY}/compose.yaml`),
  message: z.string(),
  hint: z.string().optional(),
  stricter: z.string().optional(),
});

/** The cases of testdata/malformed.yaml. */
export function readMalformed(): z.infer<typeof Case>[] {
  const text = readFileSync(new URL("../testdata/malformed.yaml", import.meta.url), "utf8");
  return z.array(Case).parse(parse(text));
}
