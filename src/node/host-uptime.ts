// SPDX-License-Identifier: Apache-2.0
import { uptime } from "node:os";

/** For how long this host has been up, milliseconds: nobody sets that clock, and all processes have the same. */
export const readHostUpMs = (): number => uptime() * 1_000;
