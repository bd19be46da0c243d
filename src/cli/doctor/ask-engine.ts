// SPDX-License-Identifier: Apache-2.0
// What the engine says of itself, asked without a node in between, since there may be none.
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { EngineInfo, EngineReader } from "#engine/engine.ts";
import { openEngineReader } from "#engine/open-reader.ts";

/** What the engine says of itself, and how its clock stands to ours. */
export interface EngineFacts extends EngineInfo {
  /** The engine's clock minus ours. */
  readonly skewMs: number;
  /** How wrong skewMs may be. */
  readonly skewErrorMs: number;
}

export type EngineAnswer =
  | { readonly kind: "answered"; readonly endpoint: string; readonly facts: EngineFacts }
  | { readonly kind: "silent"; readonly endpoint: string; readonly because: FairleadError };

type Env = Readonly<Record<string, string | undefined>>;

const CLOCK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) => sleep(delayMs, undefined, signal === undefined ? {} : { signal }),
};

async function interview(engine: EngineReader): Promise<EngineFacts> {
  const beforeMs = Date.now();
  const info = await engine.info();
  const afterMs = Date.now();
  const middleMs = (beforeMs + afterMs) / 2;
  return {
    ...info,
    skewMs: (info.systemTimeMs ?? middleMs) - middleMs,
    skewErrorMs: (afterMs - beforeMs) / 2,
  };
}

/** Opens what is set here, unless the node says that it talks to another. Throws FL0304. */
export function openEngineFor(
  configured: string,
  ofNode: string | undefined,
  env: Env,
): EngineReader {
  const parts = { clock: CLOCK, random: Math.random };
  try {
    const engine = openEngineReader({ endpoint: configured, env }, parts);
    if (ofNode === undefined || engine.endpoint === ofNode) return engine;
  } catch (error) {
    if (ofNode === undefined) throw error;
  }
  return openEngineReader({ endpoint: ofNode, env }, parts);
}

/**
 * Asks the engine that is set here (an address or a context; empty follows DOCKER_HOST and the contexts), or the node's
 * where that is another. Never throws.
 */
export async function askEngine(
  configured: string,
  ofNode: string | undefined,
  env: Env,
): Promise<EngineAnswer> {
  let endpoint = ofNode ?? configured;
  try {
    await using engine = openEngineFor(configured, ofNode, env);
    endpoint = engine.endpoint;
    return { kind: "answered", endpoint, facts: await interview(engine) };
  } catch (thrown) {
    return { kind: "silent", endpoint, because: FairleadError.from(thrown) };
  }
}
