// SPDX-License-Identifier: Apache-2.0
// What a person can do with a service. Nothing happens before its plan was shown.
import type { Plan } from "@fairlead/protocol/decision.ts";
import type { ActionRequest } from "@fairlead/protocol/requests.ts";
import type { ServiceView } from "@fairlead/protocol/views.ts";
import { useEffect, useRef, useState, type ReactNode } from "react";
import { act } from "./client.ts";
import type { Live } from "./live.ts";
import { explainReadOnly } from "./state.ts";

type Kind = "restart" | "pause" | "resume";

const PAUSES = [
  { label: "15 minutes", flag: "15m", forMs: 900_000 },
  { label: "1 hour", flag: "1h", forMs: 3_600_000 },
  { label: "8 hours", flag: "8h", forMs: 28_800_000 },
];

/** A word as a shell takes it. */
function quote(word: string): string {
  return /^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The same act on the command line. */
export function writeCommand(kind: Kind, service: ServiceView, pauseFlag: string): string {
  const time = kind === "pause" && pauseFlag !== "" ? ` --for ${pauseFlag}` : "";
  return `fairlead ${kind} ${quote(service.name)}${time} --scope ${quote(service.scope)}`;
}

function createRequest(kind: Kind, service: ServiceView, pauseFlag: string): ActionRequest {
  const services = [service.name];
  if (kind !== "pause") return { action: kind, services };
  const forMs = PAUSES.find(({ flag }) => flag === pauseFlag)?.forMs;
  return { action: "pause", services, ...(forMs === undefined ? {} : { forMs }) };
}

const WORDS: Readonly<Record<Kind, { readonly verb: string; readonly effect: string }>> = {
  restart: { verb: "Restart", effect: "" },
  pause: {
    verb: "Pause",
    effect:
      "Its containers keep running. Fairlead does not heal, replace or change them while it is paused.",
  },
  resume: { verb: "Resume", effect: "Fairlead heals and changes it again, with a fresh budget." },
};

function PlanSteps({
  plan,
  problem,
}: {
  plan: Plan | undefined;
  problem: string | undefined;
}): ReactNode {
  if (problem !== undefined) return <p role="alert">{problem}</p>;
  if (plan === undefined) return <p className="muted">Asking the node what this would do …</p>;
  if (plan.steps.length === 0) return <p>Nothing would be done.</p>;
  return (
    <>
      <p>This would:</p>
      <ol>
        {plan.steps.map((step) => (
          <li key={`${step.act}${step.object}`}>
            {step.title} <span className="muted">because {step.because}</span>
          </li>
        ))}
      </ol>
      {plan.warnings.map((text) => (
        <p key={text}>! {text}</p>
      ))}
    </>
  );
}

function Command({ text }: { text: string }): ReactNode {
  const [copied, setCopied] = useState(false);
  return (
    <p className="command-row">
      <code>{text}</code>
      <button
        type="button"
        className="quiet"
        onClick={() =>
          void navigator.clipboard.writeText(text).then(
            () => setCopied(true),
            () => setCopied(false),
          )
        }
      >
        {copied ? "Copied" : "Copy as CLI"}
      </button>
    </p>
  );
}

interface DialogProps {
  readonly kind: Kind;
  readonly service: ServiceView;
  readonly onDone: (done: boolean) => void;
}

function usePlan({ kind, service }: DialogProps) {
  const [plan, setPlan] = useState<Plan>();
  const [problem, setProblem] = useState<string>();
  const { scope, name } = service;
  useEffect(() => {
    if (kind !== "restart") return;
    act(scope, { action: "restart", services: [name], dryRun: true }).then(
      setPlan,
      (thrown: unknown) => setProblem(thrown instanceof Error ? thrown.message : String(thrown)),
    );
  }, [kind, scope, name]);
  return { plan, problem, setProblem };
}

function ActionDialog(props: DialogProps): ReactNode {
  const { kind, service } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [pauseFlag, setPauseFlag] = useState("1h");
  const { plan, problem, setProblem } = usePlan(props);
  useEffect(() => dialog.current?.showModal(), []);
  /** The browser gives the focus back to the button that opened it, but only when it is closed. */
  function onDone(done: boolean): void {
    dialog.current?.close();
    props.onDone(done);
  }
  async function confirm(): Promise<void> {
    try {
      await act(service.scope, createRequest(kind, service, pauseFlag));
      onDone(true);
    } catch (thrown) {
      setProblem(thrown instanceof Error ? thrown.message : String(thrown));
    }
  }
  const { verb, effect } = WORDS[kind];
  return (
    <dialog
      ref={dialog}
      aria-labelledby="action-title"
      onCancel={(event) => {
        event.preventDefault();
        onDone(false);
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.preventDefault();
        if (event.key === "Escape") onDone(false);
      }}
    >
      <h2 id="action-title">
        {verb} {service.name}?
      </h2>
      {kind === "restart" ? <PlanSteps plan={plan} problem={problem} /> : <p>{effect}</p>}
      {kind !== "restart" && problem !== undefined ? <p role="alert">{problem}</p> : null}
      {kind === "pause" ? (
        <label>
          For
          <select value={pauseFlag} onChange={(event) => setPauseFlag(event.target.value)}>
            {PAUSES.map(({ label, flag }) => (
              <option key={flag} value={flag}>
                {label}
              </option>
            ))}
            <option value="">until resumed</option>
          </select>
        </label>
      ) : null}
      <Command text={writeCommand(kind, service, pauseFlag)} />
      <div className="buttons">
        <button type="button" onClick={() => onDone(false)}>
          Cancel
        </button>
        <button
          type="button"
          className="primary"
          disabled={kind === "restart" && plan === undefined}
          onClick={() => void confirm()}
        >
          {verb}
        </button>
      </div>
    </dialog>
  );
}

/** Restart, pause, resume. */
export function ActionBar({ service, live }: { service: ServiceView; live: Live }): ReactNode {
  const [kind, setKind] = useState<Kind>();
  if (service.mode === "observe") {
    return (
      <p className="muted">
        Observed only: Fairlead changes nothing here. To manage it: fairlead up -f FILE
      </p>
    );
  }
  const held = service.state === "paused" || service.state === "quarantined";
  const kinds: readonly Kind[] = held ? ["restart", "resume"] : ["restart", "pause"];
  const readOnly = explainReadOnly(live.getState());
  return (
    <div className="actions">
      {kinds.map((one) => (
        <button
          key={one}
          type="button"
          disabled={readOnly !== undefined}
          aria-describedby={readOnly === undefined ? undefined : "read-only"}
          onClick={() => setKind(one)}
        >
          {WORDS[one].verb}
        </button>
      ))}
      {readOnly === undefined ? null : (
        <p id="read-only" className="muted">
          {readOnly}
        </p>
      )}
      {kind === undefined ? null : (
        <ActionDialog
          kind={kind}
          service={service}
          onDone={(done) => {
            setKind(undefined);
            if (done) live.refresh();
          }}
        />
      )}
    </div>
  );
}
