// SPDX-License-Identifier: Apache-2.0
// fairlead.yaml to flat entries with positions. Unknown keys are errors: a setting nobody reads misleads.
import { isMap, isScalar, LineCounter, type Pair, parseDocument, type YAMLMap } from "yaml";
import { FairleadError, type Location } from "#base/errors.ts";
import { findNearest } from "#base/nearest.ts";
import { configErrors } from "./errors.ts";
import { listSettingPaths } from "./setting-paths.ts";

export interface SettingsEntry {
  /** Dotted path, one that exists. */
  readonly path: string;
  readonly value: unknown;
  readonly at: Required<Location>;
}

export interface SettingsFile {
  readonly path: string;
  readonly entries: readonly SettingsEntry[];
}

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  readonly paths: readonly string[];
}

function locate(reading: Reading, node: unknown): Required<Location> {
  const offset = isScalar(node) || isMap(node) ? (node.range?.[0] ?? 0) : 0;
  const { line, col } = reading.lines.linePos(offset);
  return { file: reading.file, line, column: col };
}

function refuseKey(reading: Reading, path: string, pair: Pair): FairleadError {
  const nearest = findNearest(path, reading.paths);
  return new FairleadError(configErrors["unknown-setting"], `there is no setting "${path}"`, {
    location: locate(reading, pair.key),
    ...(nearest === undefined ? {} : { remedy: `did you mean ${nearest}?` }),
  });
}

function listEntries(reading: Reading, map: YAMLMap, prefix: string): SettingsEntry[] {
  return map.items.flatMap((pair): SettingsEntry[] => {
    const key = isScalar(pair.key) ? String(pair.key.value) : "?";
    const path = `${prefix}${key}`;
    if (reading.paths.includes(path)) {
      const value = isScalar(pair.value) ? pair.value.value : pair.value;
      return [{ path, value, at: locate(reading, pair.value ?? pair.key) }];
    }
    const isGroup = reading.paths.some((known) => known.startsWith(`${path}.`));
    if (!isGroup) throw refuseKey(reading, path, pair);
    if (isMap(pair.value)) return listEntries(reading, pair.value, `${path}.`);
    throw new FairleadError(configErrors["bad-setting"], `${path} has to be a map of settings`, {
      location: locate(reading, pair.value ?? pair.key),
    });
  });
}

/** Reads the text of a settings file. Throws FL0651, FL0652 or FL0653 with the place. */
export function parseSettingsFile(file: string, text: string): SettingsFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const { line, col } = lines.linePos(broken.pos[0]);
    const [first = ""] = broken.message.split("\n");
    throw new FairleadError(configErrors["settings-unreadable"], first, {
      location: { file, line, column: col },
    });
  }
  if (document.contents === null) return { path: file, entries: [] };
  if (!isMap(document.contents)) {
    throw new FairleadError(
      configErrors["settings-unreadable"],
      "the file is not a map of settings",
      {
        location: { file, line: 1, column: 1 },
      },
    );
  }
  const reading = { file, lines, paths: listSettingPaths() };
  return { path: file, entries: listEntries(reading, document.contents, "") };
}
