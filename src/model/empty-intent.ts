// SPDX-License-Identifier: Apache-2.0
import type { Intent } from "./intent.ts";

/** What is wanted of a scope of which nothing is wanted. */
export function makeEmptyIntent(scope: string): Intent {
  return {
    scope,
    services: [],
    networks: [],
    volumes: [],
    files: [],
    projectDirectory: "",
    diagnostics: [],
  };
}
