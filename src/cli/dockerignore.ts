// SPDX-License-Identifier: Apache-2.0
// .dockerignore as the engine's own builders read it: the last pattern that matches decides.

interface Pattern {
  readonly matches: RegExp;
  readonly keeps: boolean;
}

/** Decides what goes into a build context. Paths are relative, with `/`. */
export interface IgnoreRules {
  isIgnored(path: string): boolean;
  /** Whether something below an ignored directory may still be kept. */
  mayKeepBelow(path: string): boolean;
}

const SPECIAL = /[.+^${}()|]/;

/** One pattern as a regular expression: `*` and `?` stay within a part, `**` goes across. */
function compile(pattern: string): RegExp {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const sign = pattern.charAt(at);
    if (sign === "*" && pattern.charAt(at + 1) === "*") {
      at++;
      if (pattern.charAt(at + 1) === "/") {
        at++;
        source += "(?:.*/)?";
      } else source += ".*";
    } else if (sign === "*") source += "[^/]*";
    else if (sign === "?") source += "[^/]";
    else if (sign === "\\") source += `\\${pattern.charAt(++at)}`;
    else if (sign === "[") {
      const end = pattern.indexOf("]", at + 2);
      const inside = end < 0 ? undefined : pattern.slice(at + 1, end);
      source +=
        inside === undefined
          ? "\\["
          : `[${inside.replaceAll("\\", "\\\\").replaceAll("[", "\\[")}]`;
      if (end >= 0) at = end;
    } else source += SPECIAL.test(sign) ? `\\${sign}` : sign;
  }
  return new RegExp(`^${source}(?:/.*)?$`, "s");
}

function parseLine(line: string): Pattern | undefined {
  const trimmed = line.trim();
  if (trimmed === "" || line.startsWith("#")) return undefined;
  const keeps = trimmed.startsWith("!");
  const parts = (keeps ? trimmed.slice(1).trim() : trimmed)
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  return parts.length === 0 ? undefined : { matches: compile(parts.join("/")), keeps };
}

/** Reads the text of a .dockerignore; `always` are paths that are sent whatever it says. */
export function parseIgnoreRules(text: string, always: readonly string[]): IgnoreRules {
  const patterns = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .flatMap((line) => parseLine(line) ?? []);
  const hasExceptions = patterns.some((pattern) => pattern.keeps);
  return {
    isIgnored(path) {
      if (always.includes(path)) return false;
      const last = patterns.findLast((pattern) => pattern.matches.test(path));
      return last !== undefined && !last.keeps;
    },
    mayKeepBelow: (path) => hasExceptions || always.some((kept) => kept.startsWith(`${path}/`)),
  };
}
