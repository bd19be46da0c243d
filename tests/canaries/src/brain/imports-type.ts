// SPDX-License-Identifier: Apache-2.0
import type { Store } from "#store/store.ts";
export type Kept = Store;
