// SPDX-License-Identifier: Apache-2.0
// References of images, whole: `busybox` is `docker.io/library/busybox:latest`, also where a pattern says it.
const REFERENCE =
  /^(?:((?:[a-z0-9]|[a-z0-9][a-z0-9.-]*[a-z0-9])(?::\d{1,5})?)\/)?([a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/;

/** A reference in parts, nothing left to be filled in. */
interface Reference {
  readonly repository: string;
  /** `:tag`, or `@sha256:…`. */
  readonly version: string;
  /** As it is sent: never what the engine could take for the beginning of an id. */
  readonly text: string;
}

function isHost(text: string): boolean {
  return text.includes(".") || text.includes(":") || text === "localhost";
}

/** Undefined for what is no reference. An id is none: what an agent may use is said by names. */
export function parseReference(text: string): Reference | undefined {
  const [, first, path = "", tag, digest] = REFERENCE.exec(text) ?? [];
  if (path === "" || text.length > 255) return undefined;
  const named = first !== undefined && isHost(first);
  const host = named ? first : "docker.io";
  const rest = named || first === undefined ? path : `${first}/${path}`;
  const full = host === "docker.io" && !rest.includes("/") ? `library/${rest}` : rest;
  const version = digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`;
  const short = text.replace(/@.*$/, "");
  const shown = digest === undefined && tag === undefined ? `${short}:latest` : text;
  return { repository: `${host}/${full}`, version, text: shown };
}

function toForm(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/:@]*")}$`);
}

function completePattern(pattern: string): string {
  const slash = pattern.lastIndexOf("/");
  const name = pattern.slice(slash + 1);
  const versioned = name.includes(":") || pattern.includes("@");
  const [first = "", ...rest] = pattern.split("/");
  const hosted = rest.length > 0 && isHost(first);
  const path = hosted
    ? pattern
    : rest.length > 0
      ? `docker.io/${pattern}`
      : `docker.io/library/${pattern}`;
  return versioned ? path : `${path}:latest`;
}

/** Whether a reference is among what the patterns allow. `*` stands for anything but `/`, `:` and `@`. */
export function isAllowedImage(reference: string, patterns: readonly string[]): boolean {
  const parsed = parseReference(reference);
  if (parsed === undefined) return false;
  const whole = `${parsed.repository}${parsed.version}`;
  return patterns.some((pattern) => toForm(completePattern(pattern)).test(whole));
}
