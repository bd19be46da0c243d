// SPDX-License-Identifier: Apache-2.0
// `npm run images`: brings the image that the examples build on into the engine that DOCKER_HOST or the context names,
// and bundles the SDK for them.
import { openEngine } from "#engine/open.ts";
import { BASE_IMAGE, packNodeRoot } from "#lab/node-root.ts";
import { createSystemClock } from "#node/system-clock.ts";
import { buildSdk, SDK_BUNDLE } from "./build-sdk.ts";

const clock = createSystemClock();
await using engine = openEngine({ endpoint: "", env: process.env }, { clock, random: Math.random });
try {
  await engine.importImage(packNodeRoot(), {
    decision: "npm-run-images",
    reference: BASE_IMAGE,
    changes: ['CMD ["/usr/local/bin/node"]', "ENV PATH=/usr/local/bin"],
  });
  process.stdout.write(`${BASE_IMAGE} is in ${engine.endpoint}\n`);
  await buildSdk();
  process.stdout.write(`${SDK_BUNDLE} is the SDK in one file\n`);
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 3;
}
