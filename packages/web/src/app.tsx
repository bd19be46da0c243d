// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import { Banner } from "./banner.tsx";
import { DecisionsView } from "./decisions-view.tsx";
import { HostsView } from "./hosts-view.tsx";
import type { Live } from "./live.ts";
import { NowView } from "./now-view.tsx";
import { PoliciesView } from "./policies-view.tsx";
import { parseHash, useHash, type Route } from "./route.ts";
import { ServicesView } from "./services-view.tsx";
import { SignIn } from "./sign-in.tsx";
import type { PageState } from "./state.ts";

const VIEWS = [
  { name: "Now", path: "" },
  { name: "Services", path: "services" },
  { name: "Hosts", path: "hosts" },
  { name: "Decisions", path: "decisions" },
  { name: "Policies", path: "policies" },
];

/** Says what happened to those who do not see it. */
function Announcements({ live }: { live: Live }): ReactNode {
  const [text, setText] = useState("");
  useEffect(() => live.subscribeAnnouncements(setText), [live]);
  return (
    <p role="status" aria-live="polite" className="unseen">
      {text}
    </p>
  );
}

function Connection({ state }: { state: PageState }): ReactNode {
  const words = { connecting: "connecting", live: "live", away: "no answer" };
  return (
    <span className={`connection ${state.connection}`}>
      <span className="dot" aria-hidden="true" />
      {words[state.connection]}
    </span>
  );
}

/** Who is signed in, and as what. */
function Who({ state: { session } }: { state: PageState }): ReactNode {
  if (session === undefined) return null;
  return (
    <span className="who muted" title={session.actor}>
      {session.role}
    </span>
  );
}

function Header({ state, live, view }: { state: PageState; live: Live; view: string }): ReactNode {
  return (
    <header className="top">
      <div className="brand">
        <img src="/favicon.svg" alt="" width="22" height="22" />
        <span className="brand-name">Fairlead</span>
        <span className="node-name">{state.status?.node}</span>
      </div>
      <nav aria-label="Views">
        {VIEWS.map(({ name, path }) => (
          <a key={path} href={`#/${path}`} aria-current={view === path ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div className="session">
        <Who state={state} />
        <Connection state={state} />
        <button type="button" className="quiet" onClick={() => void live.signOut()}>
          Sign out
        </button>
      </div>
    </header>
  );
}

function View({ state, live, route }: { state: PageState; live: Live; route: Route }): ReactNode {
  switch (route.path[0] ?? "") {
    case "":
      return <NowView state={state} />;
    case "services":
      return <ServicesView state={state} live={live} route={route} />;
    case "hosts":
      return <HostsView isReady={state.phase === "ready"} />;
    case "decisions":
      return <DecisionsView state={state} route={route} />;
    case "policies":
      return <PoliciesView state={state} route={route} />;
    default:
      return (
        <>
          <h1 tabIndex={-1}>No such view</h1>
          <p>
            <a href="#/">Go to Now</a>
          </p>
        </>
      );
  }
}

/** Names the tab after the view, and takes the focus to its heading when another view is chosen. */
function useViewFocus(view: string): void {
  const first = useRef(true);
  useEffect(() => {
    const name = VIEWS.find(({ path }) => path === view)?.name ?? "Fairlead";
    document.title = `${name} · Fairlead`;
    if (!first.current) document.querySelector<HTMLElement>("main h1")?.focus();
    first.current = false;
  }, [view]);
}

/** The page. */
export function App({ live }: { live: Live }): ReactNode {
  const state = useSyncExternalStore(live.subscribe, live.getState);
  const route = parseHash(useHash());
  const view = route.path[0] ?? "";
  useViewFocus(view);
  if (state.phase === "signed-out")
    return <SignIn problem={state.signInProblem} onToken={live.signIn} />;
  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          // The address after # is the view; it must not become "main".
          event.preventDefault();
          document.querySelector<HTMLElement>("main h1")?.focus();
        }}
      >
        Skip to content
      </a>
      <Header state={state} live={live} view={view} />
      <Banner state={state} />
      <main id="main" className={state.connection === "away" ? "stale" : ""}>
        <View state={state} live={live} route={route} />
      </main>
      <Announcements live={live} />
    </>
  );
}
