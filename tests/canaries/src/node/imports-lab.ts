// SPDX-License-Identifier: Apache-2.0
import { startEngine } from "#lab/engine.ts";

export const start = startEngine;
