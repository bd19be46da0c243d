// SPDX-License-Identifier: Apache-2.0
// The only way to a driver. There is one kind: the Docker Engine API.
import {
  createDockerEngine,
  createDockerReader,
  type DockerOptions,
  type DockerParts,
} from "./drivers/docker/driver.ts";
import type { Engine, EngineReader } from "./engine.ts";

/** Opens the engine; the caller disposes of it. It need not answer yet. Throws FL0304 `bad-endpoint`. */
export function openEngine(options: DockerOptions, parts: DockerParts): Engine {
  return createDockerEngine(options, parts);
}

/** Opens the engine for reading: the object has no method that writes. Throws FL0304 `bad-endpoint`. */
export function openEngineReader(options: DockerOptions, parts: DockerParts): EngineReader {
  return createDockerReader(options, parts);
}
