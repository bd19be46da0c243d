// SPDX-License-Identifier: Apache-2.0
// Who proves to be whom in a fleet.
import { z } from "zod";

/**
 * `signs`: the authority that signs now. `believed`: the one before it, until all that it signed has run out. `valid`: a node's
 * certificate. `expired`: it has run out, by the clock of the node that was asked.
 */
export const IdentityState = z.enum(["signs", "believed", "valid", "expired"]);
export type IdentityState = z.infer<typeof IdentityState>;

/** An authority, or a node's certificate. */
export const IdentityView = z.strictObject({
  kind: z.enum(["authority", "node"]),
  /** `spiffe://harbour/fairlead/node/node-a`; of an authority, what its ids begin with. */
  uri: z.string(),
  state: IdentityState,
  /** Of the certificate, hexadecimal. */
  serial: z.string(),
  /** Until when it is believed. */
  notAfterMs: z.number(),
  /** Of an authority: the node that made it. */
  madeBy: z.string().optional(),
});
export type IdentityView = z.infer<typeof IdentityView>;
