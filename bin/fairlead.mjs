#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs the CLI with a Node that is new enough; plain JavaScript so that an old Node can run it too.
import * as module from "node:module";
import { fileURLToPath } from "node:url";
import { isNodeNewEnough, runWithNode } from "../scripts/find-node.mjs";

const script = new URL("../src/main.ts", import.meta.url);
if (isNodeNewEnough()) {
  // In this very process, and with what was compiled last time: each halves the start-up time.
  module.enableCompileCache(
    fileURLToPath(new URL("../node_modules/.cache/fairlead", import.meta.url)),
  );
  await import(script.href);
} else runWithNode(script, process.argv.slice(2));
