// SPDX-License-Identifier: Apache-2.0
// What one loading shares: the source behind its guard, the findings, the limits.
import type { Location } from "#base/errors.ts";
import { composeErrors } from "./errors.ts";
import { type Findings, refuse } from "./findings.ts";
import { FILE_SIZE_MAX_BYTES } from "./parse-tree.ts";
import { isInside, normalisePath, parentPath } from "./path-text.ts";
import type { FileSource } from "./source.ts";

/** One loading. */
export interface Run {
  readonly source: FileSource;
  readonly findings: Findings;
  /** Directories, links resolved, that Compose input may come from. */
  readonly roots: readonly string[];
  readonly home: string | undefined;
  /** Every Compose file read, in order. */
  readonly files: string[];
  /** Files read so far, bounded: a chain of includes costs time and memory. */
  readCount: number;
}

/** No real project comes near; includes and extends of hostile files do. */
const READ_COUNT_MAX = 2_000;

/** Reads a file that the user named on the command line: wherever it is. */
export async function readNamed(run: Run, path: string): Promise<string> {
  const text = await readBounded(run, path, undefined);
  if (text === undefined) {
    throw refuse(composeErrors["file-unreadable"], `there is no file ${path}`, undefined);
  }
  return text;
}

/**
 * Reads a file that a Compose file names: only below the roots, links resolved before anything is read.
 * Undefined when there is none. Throws outside-project, file-unreadable.
 */
export async function readInput(
  run: Run,
  path: string,
  at: Location | undefined,
): Promise<string | undefined> {
  if (/\p{Cc}/u.test(path)) {
    throw refuse(composeErrors["bad-value"], "a path has a control character in it", at);
  }
  const real = await locateInput(run, path, at);
  return real === undefined ? undefined : readBounded(run, real, at);
}

/**
 * Where a path that a Compose file names leads, its links resolved; undefined when there is nothing. Throws
 * outside-project unless it is below one of the roots. What is outside is refused whether or not it exists, so that a
 * file cannot be used to ask what exists.
 */
export async function locateInput(
  { source, roots }: Pick<Run, "source" | "roots">,
  path: string,
  at: Location | undefined,
): Promise<string | undefined> {
  const wanted = normalisePath(path);
  const real = await attempt(() => source.realPath(wanted), wanted, at);
  let place = real;
  // What is not there lies where the nearest directory above it does.
  for (let above = wanted; place === undefined;) {
    if (above === "/" || above === ".") place = wanted;
    else {
      above = parentPath(above);
      const found = await attempt(() => source.realPath(above), above, at);
      if (found !== undefined) place = normalisePath(`${found}/${wanted.slice(above.length)}`);
    }
  }
  if (roots.some((root) => isInside(place, root))) return real;
  throw refuse(
    composeErrors["outside-project"],
    `${wanted} is outside of the project directory ${roots[0] ?? ""}`,
    at,
  );
}

async function readBounded(
  run: Run,
  path: string,
  at: Location | undefined,
): Promise<string | undefined> {
  if (++run.readCount > READ_COUNT_MAX) {
    throw refuse(composeErrors["too-big"], `more than ${READ_COUNT_MAX} files are read`, at);
  }
  if (await attempt(() => run.source.isDirectory(path), path, at)) {
    throw refuse(composeErrors["file-unreadable"], `${path} is a directory`, at);
  }
  const text = await attempt(() => run.source.readText(path, FILE_SIZE_MAX_BYTES), path, at);
  if (text !== undefined && text.length > FILE_SIZE_MAX_BYTES) {
    const limit = `${FILE_SIZE_MAX_BYTES / 1024 / 1024} MiB`;
    throw refuse(
      composeErrors["too-big"],
      `${path} is larger than ${limit}`,
      at ?? { file: path, line: 1, column: 1 },
    );
  }
  return text;
}

async function attempt<T>(
  read: () => Promise<T>,
  path: string,
  at: Location | undefined,
): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    const because = thrown instanceof Error ? thrown.message : String(thrown);
    throw refuse(composeErrors["file-unreadable"], `cannot read ${path}: ${because}`, at);
  }
}
