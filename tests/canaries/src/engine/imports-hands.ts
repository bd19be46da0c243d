// SPDX-License-Identifier: Apache-2.0
export { openStore } from "#store/open.ts";
