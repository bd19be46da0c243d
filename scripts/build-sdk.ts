// SPDX-License-Identifier: Apache-2.0
// The SDK as one file of JavaScript without dependencies, for images that have nothing but Node.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "#lab/bundle.ts";

/** Where the bundle is put. */
export const SDK_BUNDLE = fileURLToPath(new URL("../packages/sdk/dist/sdk.js", import.meta.url));

/** Bundles `packages/sdk` into `dist/sdk.js`. */
export async function buildSdk(): Promise<void> {
  const code = await bundleProgram(
    fileURLToPath(new URL("../packages/sdk/src/sdk.ts", import.meta.url)),
  );
  mkdirSync(fileURLToPath(new URL("../packages/sdk/dist", import.meta.url)), { recursive: true });
  writeFileSync(SDK_BUNDLE, code);
}
