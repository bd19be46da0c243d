// SPDX-License-Identifier: Apache-2.0
import { baseErrors, FairleadError } from "./errors.ts";

const POWER: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** `64m`, `1.5gb`, `512KiB`, `1024` to bytes (1024-based, as Docker reads them). Throws `invalid-argument`. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (match === null) {
    throw new FairleadError(
      baseErrors["invalid-argument"],
      `"${text}" is not a size; write for example 64m, 1.5g, 1024`,
    );
  }
  return Math.floor(Number(match[1]) * 1024 ** (POWER[(match[2] ?? "").toLowerCase()] ?? 0));
}

/** Bytes as people read them: `310 MiB`. */
export function formatSize(sizeBytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
