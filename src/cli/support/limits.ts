// SPDX-License-Identifier: Apache-2.0
// Bounds of a bundle, so that one is made on a host in trouble too, and can be sent.

/** So much of the end of a log. */
export const LOG_BYTES = 1024 * 1024;
/** No file of a bundle is larger, before it is packed. */
export const FILE_BYTES = 4 * 1024 * 1024;
/** So long for one file; all are made at the same time. */
export const PART_MS = 20_000;
