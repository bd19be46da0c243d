// SPDX-License-Identifier: Apache-2.0
// Who is who among those who joined. The node signs who an agent is and which key it holds: its ticket. With that key the
// agent signs whom it greets and what it asks, so that a ticket is of no use to those who have seen it.
// Tried before: an HMAC with a key that all members of a scope had. It kept strangers out, and any member could be any other.
import { isIdOf } from "@fairlead/protocol/names.ts";
import { FabricError } from "./errors.ts";
import type { Hello } from "./frame.ts";
import { isSigned, type Signer } from "./signer.ts";

interface Who {
  readonly id: string;
  readonly name: string;
  readonly scope: string;
}

function wordsOfTicket({ scope, name, id }: Who, key: string): readonly string[] {
  return ["ticket", scope, name, id, key];
}

function refuse(message: string, reason: string): FabricError {
  return new FabricError("unauthenticated", message, { reason });
}

/** The ticket of an agent that holds this public key: `KEY.SIGNATURE`, signed by the node for its scope. */
export function issueTicket(signer: Signer, who: Who, publicKey: string): string {
  return `${publicKey}.${signer.sign(wordsOfTicket(who, publicKey))}`;
}

/** A ticket as it is shown to one peer: `KEY.SIGNATURE.PROOF`. */
export function showTicket(ticket: string, signer: Signer, id: string, peerId: string): string {
  return `${ticket}.${signer.sign(["hello", id, peerId])}`;
}

/** Throws `unauthenticated` when a Hello to `ownId` shows no ticket that was signed with the key of the scope. */
export function checkTicket(scopeKey: string, hello: Hello, ownId: string): void {
  const [key = "", signature = "", proof = ""] = hello.ticket.split(".");
  const isIssued = isSigned(scopeKey, wordsOfTicket(hello, key), signature);
  if (isIssued && isSigned(key, ["hello", hello.id, ownId], proof)) return;
  throw refuse(`${hello.scope}/${hello.name} shows no ticket of this scope`, "ticket");
}

/** What is asked, for whoever is not told by the one who asks: the agent that is to answer, by id, and the method. */
export interface Asked {
  readonly target: string;
  readonly method: string;
}

/** The proof, for a call that members pass on, of who asks: `ID/TICKET/SIGNATURE`. */
export function proveCaller(ticket: string, signer: Signer, id: string, asked: Asked): string {
  return `${id}/${ticket}/${signer.sign(["call", id, asked.target, asked.method])}`;
}

/** The same by the node, for an agent without a key: `ID//SIGNATURE`. */
export function vouchForCaller(signer: Signer, id: string, asked: Asked): string {
  return proveCaller("", signer, id, asked);
}

/** The name of whoever proved to ask. Throws `unauthenticated`. */
export function readCaller(scopeKey: string, scope: string, proof: string, asked: Asked): string {
  const [id = "", ticket = "", said = ""] = proof.split("/");
  const name = id.slice(0, id.indexOf("."));
  const [key = "", signature = ""] = ticket.split(".");
  const isIssued =
    ticket === "" || isSigned(scopeKey, wordsOfTicket({ scope, name, id }, key), signature);
  const words = ["call", id, asked.target, asked.method];
  if (isIdOf(id, name) && isIssued && isSigned(ticket === "" ? scopeKey : key, words, said))
    return name;
  throw refuse("the call does not prove who asks", "caller");
}
