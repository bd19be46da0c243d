// SPDX-License-Identifier: Apache-2.0
// A core's share of many histories: it is told a seed and answers with what came of it.
import { parentPort } from "node:worker_threads";
import { runHistory, type HistoryOptions } from "./run-history.ts";

// Errors are made by the thousand, for calls that are not answered and waits that end: nobody reads where.
Error.stackTraceLimit = 0;

parentPort?.on("message", (options: HistoryOptions) => {
  // What a history throws ends the worker, and so the run.
  void runHistory(options).then((history) => parentPort?.postMessage(history));
});
