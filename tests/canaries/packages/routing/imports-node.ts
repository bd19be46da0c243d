// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
export const text: string = readFileSync("/etc/hostname", "utf8");
