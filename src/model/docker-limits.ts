// SPDX-License-Identifier: Apache-2.0
// What `fairlead.docker` says: what an agent may do with the Docker API on a socket of its own.
import { parseDuration } from "#base/duration.ts";
import { parseSize } from "#base/size.ts";

/** Bounds of one agent's guarded Docker API. */
export interface DockerLimits {
  /** Patterns of references: `busybox:lab`, `registry.example/tools/*:v1`. */
  readonly images: readonly string[];
  /** Containers at a time, in any state. */
  readonly countMax: number;
  /** Of each container. */
  readonly memoryBytes: number;
  /** Of each container. */
  readonly cpus: number;
  /** Of one copy into a container, as a tar. */
  readonly copyBytes: number;
  /** After so long a container is reaped. */
  readonly ttlMs: number;
  /** The network that containers are on; `none` has no other host. */
  readonly network: string;
}

/** The form of the word, for people. */
export const DOCKER_FORM =
  "guarded images=PATTERN,… and, as wanted, count=, memory=, cpus=, copy=, ttl=, network=, for example guarded images=busybox:1,alpine:* count=3 ttl=10m";

const DEFAULTS = {
  countMax: 4,
  memoryBytes: 256 * 1024 * 1024,
  cpus: 1,
  copyBytes: 256 * 1024 * 1024,
  ttlMs: 3_600_000,
  network: "none",
} as const;
const IMAGE_PATTERN = /^[a-z0-9*][a-zA-Z0-9*._/@:-]{0,254}$/;
const NETWORK = /^(?!host$)[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** The engine makes no container with less. */
const MEMORY_MIN = 6 * 1024 * 1024;

type Reader = (text: string) => Partial<DockerLimits> | undefined;

function within(value: number, min: number, max: number): boolean {
  return value >= min && value <= max;
}

const READERS: Readonly<Record<string, Reader>> = {
  images(text) {
    const images = text.split(",");
    return images.every((one) => IMAGE_PATTERN.test(one)) ? { images } : undefined;
  },
  count(text) {
    const countMax = /^\d{1,4}$/.test(text) ? Number(text) : 0;
    return within(countMax, 1, 1_000) ? { countMax } : undefined;
  },
  memory(text) {
    const memoryBytes = parseSize(text);
    return within(memoryBytes, MEMORY_MIN, 2 ** 50) ? { memoryBytes } : undefined;
  },
  cpus(text) {
    const cpus = /^\d{1,4}(\.\d{1,2})?$/.test(text) ? Number(text) : 0;
    return within(cpus, 0.01, 1_024) ? { cpus } : undefined;
  },
  copy(text) {
    const copyBytes = parseSize(text);
    return within(copyBytes, 1_024, 2 ** 50) ? { copyBytes } : undefined;
  },
  ttl(text) {
    const ttlMs = parseDuration(text);
    return within(ttlMs, 1_000, 30 * 86_400_000) ? { ttlMs } : undefined;
  },
  network: (text) => (NETWORK.test(text) ? { network: text } : undefined),
};

/** The bounds; undefined when the word is not of its form. */
export function readDockerLimits(word: string): DockerLimits | undefined {
  const [mode, ...settings] = word.trim().split(/\s+/);
  if (mode !== "guarded") return undefined;
  let limits: Partial<DockerLimits> = {};
  try {
    for (const setting of settings) {
      const [, name = "", text = ""] = /^([a-z]+)=(.+)$/.exec(setting) ?? [];
      const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
      const read = reader?.(text);
      if (read === undefined) return undefined;
      limits = { ...limits, ...read };
    }
  } catch {
    return undefined;
  }
  const { images } = limits;
  return images === undefined ? undefined : { ...DEFAULTS, ...limits, images };
}
