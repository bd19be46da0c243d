// SPDX-License-Identifier: Apache-2.0
// Who proves to be whom in a fleet.
import { z } from "zod";

/**
 * `signs`: the authority that signs now. `believed`: the one before it, until all that it signed has run out. `valid`: the certificate
 * of a node or a container. `expired`: it has run out, by the clock of the node that was asked. `revoked`: it is believed no more
 * though its time is not over.
 */
export const IdentityState = z.enum(["signs", "believed", "valid", "expired", "revoked"]);
export type IdentityState = z.infer<typeof IdentityState>;

/** An authority, or the certificate of a node or of a container. */
export const IdentityView = z.strictObject({
  kind: z.enum(["authority", "node", "instance"]),
  /** `spiffe://harbour/fairlead/node/node-a`, `spiffe://harbour/shop/web`; of an authority, what its ids begin with. */
  uri: z.string(),
  state: IdentityState,
  /** Of the certificate, hexadecimal. */
  serial: z.string(),
  /** Until when it is believed, or would have been. */
  notAfterMs: z.number(),
  /** When it was revoked. */
  revokedAtMs: z.number().optional(),
  /** Of an authority: the node that made it. */
  madeBy: z.string().optional(),
  /** Of a container: its name, and its scope. */
  instance: z.string().optional(),
  scope: z.string().optional(),
  /** Of a container in a fleet with others: the node that it is on; of what is revoked, the node that gave it. */
  node: z.string().optional(),
});
export type IdentityView = z.infer<typeof IdentityView>;
