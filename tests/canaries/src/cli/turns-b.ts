// SPDX-License-Identifier: Apache-2.0
import { a } from "./turns-a.ts";
export const b: number = a + 1;
