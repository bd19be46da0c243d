// SPDX-License-Identifier: Apache-2.0
import { b } from "./turns-b.ts";
export const a: number = b + 1;
