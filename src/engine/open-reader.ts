// SPDX-License-Identifier: Apache-2.0
// The way to an engine for those who only look: the command line's doctor may import this and not `open.ts`.
import {
  createDockerReader,
  type DockerOptions,
  type DockerParts,
} from "./drivers/docker/driver.ts";
import type { EngineReader } from "./engine.ts";

/** Opens the engine for reading: the object has no method that writes. Throws FL0304 `bad-endpoint`. */
export function openEngineReader(options: DockerOptions, parts: DockerParts): EngineReader {
  return createDockerReader(options, parts);
}
