// SPDX-License-Identifier: Apache-2.0
import { exec } from "node:child_process";
exec("true");
