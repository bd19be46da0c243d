// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";

/** What a browser without a session sees. */
export function SignIn({ problem }: { problem: string | undefined }): ReactNode {
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
      <p className="muted">
        A session ends after twelve hours, when you sign out, and when the node restarts.
      </p>
    </main>
  );
}
