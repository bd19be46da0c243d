// SPDX-License-Identifier: Apache-2.0
export { openEngine } from "#engine/open.ts";
