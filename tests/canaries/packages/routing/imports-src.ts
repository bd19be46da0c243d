// SPDX-License-Identifier: Apache-2.0
export { parseDuration } from "#base/duration.ts";
