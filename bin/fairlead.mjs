#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Runs the CLI with a Node that is new enough; plain JavaScript so that an old Node can run it too.
import { runWithNode } from "../scripts/find-node.mjs";

runWithNode(new URL("../src/main.ts", import.meta.url), process.argv.slice(2));
