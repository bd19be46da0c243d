// SPDX-License-Identifier: Apache-2.0
import processes from "node:child_process";
processes.exec("true");
