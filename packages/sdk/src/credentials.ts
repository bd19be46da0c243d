// SPDX-License-Identifier: Apache-2.0
// How this agent shows its peers who it is, and tells who they are.
import { checkIdentity } from "@fairlead/fabric/check-identity.ts";
import { FabricError } from "@fairlead/fabric/errors.ts";
import type { Hello, Open } from "@fairlead/fabric/frame.ts";
import { createSigner } from "@fairlead/fabric/signer.ts";
import { checkTicket, proveCaller, readCaller, showTicket } from "@fairlead/fabric/ticket.ts";
import type { JoinAnswer } from "@fairlead/protocol/fabric.ts";

/** Who asks. */
export interface Caller {
  readonly scope: string;
  readonly name: string;
}

export interface CredentialsOptions {
  readonly id: string;
  readonly scope: string;
  /** What the node said at the last joining. */
  readonly answer: () => JoinAnswer | undefined;
}

/** A node says for whom it speaks; any other peer speaks for itself. */
function findSender(open: Open, peer: Hello): Caller {
  if (peer.scope !== "") return { scope: peer.scope, name: peer.name };
  const cut = open.caller.indexOf("/");
  return { scope: open.caller.slice(0, cut), name: open.caller.slice(cut + 1) };
}

/** An agent's key, and what the node signed for it. */
export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #signer = createSigner();

  constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  /** The key that the node signs. */
  get publicKey(): string {
    return this.#signer.publicKey;
  }

  /** The ticket for one peer; empty before joining. */
  show(peerId: string): string {
    const ticket = this.#options.answer()?.ticket ?? "";
    return ticket === "" ? "" : showTicket(ticket, this.#signer, this.#options.id, peerId);
  }

  /** Throws `unauthenticated` for a peer that did not join this scope as who it says it is. */
  check(hello: Hello): void {
    checkIdentity(hello);
    checkTicket(this.#key, hello, this.#options.id);
    if (hello.scope === this.#options.scope) return;
    throw new FabricError("unauthenticated", `${hello.name} is not of this scope`, {
      reason: "ticket",
    });
  }

  /** What proves to an agent, by id, who asks when members of the topology pass the question on. */
  prove(target: string, method: string): string {
    const ticket = this.#options.answer()?.ticket ?? "";
    return proveCaller(ticket, this.#signer, this.#options.id, { target, method });
  }

  /**
   * Who sent a conversation here, and who asks: the same, unless a member passes it on with the proof of who did.
   * Throws `unauthenticated` for a proof that is none.
   */
  read(open: Open, peer: Hello): { readonly sender: Caller; readonly caller: Caller } {
    const sender = findSender(open, peer);
    const { id, scope } = this.#options;
    const isPassedOn = open.target !== "" && open.target !== id;
    if (open.proof === "" || isPassedOn) return { sender, caller: sender };
    const asked = { target: id, method: open.method };
    return { sender, caller: { scope, name: readCaller(this.#key, scope, open.proof, asked) } };
  }

  get #key(): string {
    const key = this.#options.answer()?.key;
    if (key === undefined) throw new FabricError("unavailable", "this agent has not joined yet");
    return key;
  }
}
