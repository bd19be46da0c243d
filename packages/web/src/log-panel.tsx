// SPDX-License-Identifier: Apache-2.0
// The tail of a service's logs, and what comes. Text only: control sequences are taken out, markup is text.
import type { LogLine } from "@fairlead/protocol/routes.ts";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { followLogs } from "./client.ts";
import { formatTime, stripControls } from "./format.ts";

const LINES_MAX = 1_000;
const TAIL = 100;
const LINE_LENGTH_MAX = 4_000;

interface NumberedLine extends LogLine {
  readonly key: number;
}

interface LogState {
  readonly lines: readonly NumberedLine[];
  /** Undefined while the stream is open. */
  readonly ended: string | undefined;
}

/** Follows the logs while `following`; a stream that ended is opened again by following again. */
function useLogs(scope: string, service: string, following: boolean): LogState {
  const [state, setState] = useState<LogState>({ lines: [], ended: undefined });
  const nextKey = useRef(0);
  useEffect(() => {
    if (!following) return;
    const stop = new AbortController();
    async function follow(): Promise<void> {
      setState({ lines: [], ended: undefined });
      for await (const batch of followLogs({ scope, name: service, tail: TAIL }, stop.signal)) {
        const fresh = batch.map((line) => ({ ...line, key: nextKey.current++ }));
        setState(({ lines }) => ({
          lines: [...lines, ...fresh].slice(-LINES_MAX),
          ended: undefined,
        }));
      }
    }
    function end(reason: string): void {
      if (!stop.signal.aborted) setState(({ lines }) => ({ lines, ended: reason }));
    }
    follow().then(
      () => end("the stream ended"),
      (thrown: unknown) => end(thrown instanceof Error ? thrown.message : String(thrown)),
    );
    return () => stop.abort();
  }, [scope, service, following]);
  return state;
}

function Line({ line, service }: { line: NumberedLine; service: string }): ReactNode {
  const instance = line.instance.slice(line.instance.indexOf(service));
  return (
    <div className={`log-line ${line.stream}`}>
      <span className="log-time">{formatTime(line.atMs)}</span>
      <span className="log-from" title={line.instance}>
        {instance}
        {line.stream === "stderr" ? " err" : ""}
      </span>
      <span className="log-text">{stripControls(line.text).slice(0, LINE_LENGTH_MAX)}</span>
    </div>
  );
}

/** The logs of one service. */
export function LogPanel({ scope, service }: { scope: string; service: string }): ReactNode {
  const [following, setFollowing] = useState(true);
  const { lines, ended } = useLogs(scope, service, following);
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines]);
  return (
    <section aria-label="Logs">
      <div className="section-head">
        <h3>Logs</h3>
        <button type="button" className="quiet" onClick={() => setFollowing(!following)}>
          {following ? "Stop following" : "Follow again"}
        </button>
      </div>
      <div
        className="log lines"
        ref={box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`Log lines of ${service}`}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          atEnd.current = scrollTop + clientHeight > scrollHeight - 24;
        }}
      >
        {lines.length === 0 ? <span className="muted">No lines yet.</span> : null}
        {lines.map((line) => (
          <Line key={line.key} line={line} service={service} />
        ))}
      </div>
      {ended === undefined ? null : <p className="muted">No longer following: {ended}.</p>}
    </section>
  );
}
