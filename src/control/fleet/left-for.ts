// SPDX-License-Identifier: Apache-2.0
/**
 * So long a node that said that it leaves is taken to be on its way back, as from an upgrade, milliseconds: what runs on its host stays
 * where it is, is named and is shown. After that it counts as gone.
 */
export const LEFT_MS = 30_000;
