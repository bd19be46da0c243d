// SPDX-License-Identifier: Apache-2.0
// Without a schema library, so that a program that only asks this need not load one.

/** Form of the name of a service or an agent: a DNS label. */
export const AGENT_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Tag of a command of people, which joins for a moment: it is no member of a topology and nobody's business. */
export const FACE_TAG = "face";

/** How many patterns one agent may hear. */
export const SUBSCRIPTIONS_MAX = 1_000;
