// SPDX-License-Identifier: Apache-2.0
// The only way to a driver. There is one kind: the Docker Engine API.
import {
  createDockerEngine,
  type DockerOptions,
  type DockerParts,
} from "./drivers/docker/driver.ts";
import type { Engine } from "./engine.ts";

/** Opens the engine; the caller disposes of it. It need not answer yet. Throws FL0304 `bad-endpoint`. */
export function openEngine(options: DockerOptions, parts: DockerParts): Engine {
  return createDockerEngine(options, parts);
}
