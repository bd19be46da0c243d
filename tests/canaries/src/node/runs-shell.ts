// SPDX-License-Identifier: Apache-2.0
import { execSync } from "node:child_process";
execSync("true");
