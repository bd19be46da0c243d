// SPDX-License-Identifier: Apache-2.0
export { openOperations } from "#control/open-operations.ts";
