// SPDX-License-Identifier: Apache-2.0
import { useState, type ReactNode, type SubmitEvent } from "react";

/** Signs in with a token. It goes to this node and is kept nowhere. */
function TokenForm({ onToken }: { onToken: (token: string) => Promise<void> }): ReactNode {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    await onToken(token.trim());
    setBusy(false);
  }
  return (
    <form className="token-form" onSubmit={(event) => void submit(event)}>
      <label htmlFor="token">Or sign in with a token that an admin made for you</label>
      <div className="token-row">
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder="flu_…"
          value={token}
          onChange={(event) => setToken(event.target.value)}
        />
        <button type="submit" disabled={busy || token.trim() === ""}>
          Sign in
        </button>
      </div>
    </form>
  );
}

interface SignInProps {
  readonly problem: string | undefined;
  readonly onToken: (token: string) => Promise<void>;
}

/** What a browser without a session sees. */
export function SignIn({ problem, onToken }: SignInProps): ReactNode {
  return (
    <main className="sign-in">
      <img src="/favicon.svg" alt="" width="44" height="44" />
      <h1>Sign in to this node</h1>
      {problem === undefined ? null : (
        <p role="alert" className="banner">
          That did not work: {problem}.
        </p>
      )}
      <p>On the machine where the node runs, type:</p>
      <pre className="command">
        <code>fairlead ui</code>
      </pre>
      <p>
        It opens this page by a link that works once, within ten minutes. There is no password to
        remember or to steal. Over SSH, <code>fairlead ui --show-url</code> prints the link instead.
      </p>
      <TokenForm onToken={onToken} />
      <p className="muted">
        A session ends after twelve hours, when you sign out, and when the node restarts.
      </p>
    </main>
  );
}
