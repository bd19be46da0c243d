// SPDX-License-Identifier: Apache-2.0
import type { Clock, Random } from "#base/clock.ts";
import type { Engine, EngineReader } from "#engine/engine.ts";
import { createConnection } from "./connection.ts";
import { resolveEndpoint } from "./endpoint.ts";
import { createReader } from "./read.ts";
import { createWriter } from "./write.ts";

export interface DockerOptions {
  /** Address or context; empty follows DOCKER_HOST and the contexts. */
  readonly endpoint: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface DockerParts {
  readonly clock: Clock;
  readonly random: Random;
}

/** An engine that can be written to. Nothing is sent yet. Throws FL0304 `bad-endpoint`. */
export function createDockerEngine(options: DockerOptions, { clock, random }: DockerParts): Engine {
  const connection = createConnection(resolveEndpoint(options.endpoint, options.env), {
    readOnly: false,
  });
  return { ...createReader(connection, clock, random), ...createWriter(connection) };
}

/** An engine that can only be read: its connection refuses everything else. Throws FL0304 `bad-endpoint`. */
export function createDockerReader(
  options: DockerOptions,
  { clock, random }: DockerParts,
): EngineReader {
  const connection = createConnection(resolveEndpoint(options.endpoint, options.env), {
    readOnly: true,
  });
  return createReader(connection, clock, random);
}
