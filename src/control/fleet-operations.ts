// SPDX-License-Identifier: Apache-2.0
// What people may ask of the fleet through any of its nodes.
import type { IdentityView } from "@fairlead/protocol/identity.ts";
import type { NodeAction, NodeFarewell, NodeRecord } from "@fairlead/protocol/node.ts";
import type { CreatedToken, TokenRequest, TokenView } from "@fairlead/protocol/tokens.ts";
import type { AskedBy } from "./topologies.ts";

/**
 * Safe for concurrent use. On a node without one all throws FL0731 `no-fleet` but what is about its own authority; and
 * all throws what the store throws. Each change is a decision of the node that was asked.
 */
export interface FleetOperations {
  /** A text with which other hosts join. */
  createToken(request: TokenRequest, by: AskedBy): Promise<CreatedToken>;
  /** Tokens of the last days, the newest first. */
  listTokens(): Promise<readonly TokenView[]>;
  /** Nobody joins with it from now on. Throws FL0736 `no-such-token`. */
  revokeToken(id: string, by: AskedBy): Promise<TokenView>;
  /** Marks a node, named by name or id. Throws FL0701 `no-such-object`. */
  mark(node: string, action: NodeAction, by: AskedBy): Promise<NodeRecord>;
  /** Takes a node that is gone off the roll. Throws FL0701, FL0739 `node-alive`. */
  remove(node: string, by: AskedBy): Promise<NodeFarewell>;
  /** This node says farewell and stands on the roll no more; its settings still name the fleet. */
  leave(by: AskedBy): Promise<NodeFarewell>;
  /** Authorities, and the certificates of nodes that are believed. */
  listIdentities(): Promise<readonly IdentityView[]>;
  /** Lets another authority sign; those before it are believed until what they signed has run out. */
  rotateIdentities(by: AskedBy): Promise<readonly IdentityView[]>;
  /** Whether the fleet has a node of that name or id; false on a node without one. */
  hasNode(node: string): boolean;
  /** Believes a node's certificate no more, named by name or id. Throws FL0701 `no-such-object`. */
  revokeIdentity(node: string, by: AskedBy): Promise<readonly IdentityView[]>;
}
