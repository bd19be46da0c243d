// SPDX-License-Identifier: Apache-2.0
import { exec } from "child_process";
exec("true");
