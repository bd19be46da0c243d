// SPDX-License-Identifier: Apache-2.0
// What Consul and the way to it say, as errors of the store.
import { baseErrors, FairleadError } from "#base/errors.ts";
import { storeErrors } from "#store/errors.ts";

/** An answer as it came. */
export interface Answer {
  readonly status: number;
  /** `X-Consul-Index`; 0 where there is none. */
  readonly index: number;
  readonly text: string;
}

const LIMIT_REMEDY =
  "say limits { kv_max_value_size = 16777216 txn_max_req_len = 67108864 } in the configuration of Consul's servers and agents; it takes at most 64 operations in a transaction";
const TOKEN_REMEDY =
  'check store.passwordFile: its token needs key_prefix "PREFIX" { policy = "write" } and session_prefix "" { policy = "write" }';
const TLS_REMEDY =
  "it speaks TLS: say store.caFile, and where it asks for them store.certFile and store.keyFile";
const STRANGER_REMEDY =
  "name the HTTP port of an agent of Consul, 8500 most often; a proxy before it has to let /v1/ through";
const WANTS_TLS = /HTTP request to an HTTPS server/i;
const TEXT_MAX = 300;

/** Codes of errors that say that the two sides do not trust each other. */
const TRUST = /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_|EPROTO|HOSTNAME_MISMATCH|wrong version number/i;

/** Whether another agent may do better, or this one later. */
export function isAgentAway({ status }: Answer): boolean {
  return status === 429 || status >= 500;
}

/** Whether Consul says, within an answer, that the token may not do it. */
export function isForbidden(text: string): boolean {
  return /permission denied|ACL not found/i.test(text);
}

function shorten(text: string): string {
  return text.trim().slice(0, TEXT_MAX);
}

/** FL0408 `store-refused`, with Consul's words. */
export function createRefused(said: string, address: string): FairleadError {
  return new FairleadError(
    storeErrors["store-refused"],
    `Consul at ${address} says: ${shorten(said)}`,
    { facts: { endpoint: address }, remedy: TOKEN_REMEDY },
  );
}

/** The store's error for an answer that is none to what was asked. */
export function convertAnswer(answer: Answer, address: string): FairleadError {
  const { status, text } = answer;
  const message = `Consul at ${address} says: ${shorten(text) || `status ${status}`}`;
  const facts = { endpoint: address, status };
  if (status === 401 || status === 403 || isForbidden(text)) return createRefused(text, address);
  if (status === 413)
    return new FairleadError(storeErrors["store-limit"], message, { facts, remedy: LIMIT_REMEDY });
  if (WANTS_TLS.test(text))
    return new FairleadError(storeErrors["store-untrusted"], message, {
      facts,
      remedy: TLS_REMEDY,
    });
  if (status === 404)
    return new FairleadError(
      storeErrors["store-unavailable"],
      `what answers at ${address} is not Consul: it says ${shorten(text) || `status ${status}`}`,
      { facts, remedy: STRANGER_REMEDY },
    );
  const kind = isAgentAway(answer)
    ? storeErrors["store-unavailable"]
    : baseErrors["invalid-argument"];
  return new FairleadError(kind, message, { facts });
}

/** The store's error for agents of which none answered, by what the first of them failed with. */
export function explainAway(
  failures: readonly { readonly address: string; readonly thrown: unknown }[],
  { isTls }: { readonly isTls: boolean },
): FairleadError {
  const said = failures.map(({ thrown }) => {
    const { message } = FairleadError.from(thrown);
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    return { text: message === "" ? code : message, isTrust: TRUST.test(`${code} ${message}`) };
  });
  const endpoints = failures.map(({ address }) => address).join(", ");
  const distrusted = said.find(({ isTrust }) => isTrust);
  const [first] = said;
  const options = { cause: failures[0]?.thrown, facts: { endpoints } };
  if (distrusted !== undefined)
    return new FairleadError(
      storeErrors["store-untrusted"],
      `no agent of Consul is trusted, or none trusts this node (certificate): ${distrusted.text}`,
      options,
    );
  const scheme = isTls ? "https" : "http";
  return new FairleadError(
    storeErrors["store-unavailable"],
    `no agent of Consul answers: ${first?.text ?? ""}`,
    {
      ...options,
      remedy: `check that Consul runs and is reached: curl ${scheme}://${failures[0]?.address}/v1/status/leader${isTls ? "" : "; where it speaks TLS, say store.caFile"}`,
    },
  );
}
