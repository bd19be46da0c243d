// SPDX-License-Identifier: Apache-2.0
// A guarded Docker API for each service that says `fairlead.docker`: open while the service is wanted here. What agents do
// there is a decision each, and every call is in the audit log.
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { AuditLog } from "#audit/audit.ts";
import { canonicalJson } from "#base/canonical-json.ts";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Decision } from "#model/decision.ts";
import { readDockerLimits, type DockerLimits } from "#model/docker-limits.ts";
import type { ServiceIntent } from "#model/intent.ts";
import type {
  DockerOwner,
  DockerRecorder,
  DockerSocket,
  OpenDockerSocket,
} from "#warden/warden.ts";
import type { DecisionLog } from "./decision-log.ts";
import { gatherCalls } from "./gather-calls.ts";
import type { Supervisor } from "./supervisor.ts";

export interface AgentSocketsOptions {
  readonly open: OpenDockerSocket;
  /** The engine's own socket. */
  readonly enginePath: string;
  /** Directory of all sockets; each is in one of its own, which containers see. */
  readonly directory: string;
  readonly loops: () => Supervisor["loops"];
  readonly decisions: Pick<DecisionLog, "begin" | "finish">;
  readonly audit: Pick<AuditLog, "append" | "note">;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface AgentSockets extends AsyncDisposable {
  /** The directory to mount into containers of a service; undefined when it has no guarded API. */
  grant(scope: string, service: ServiceIntent): Promise<string | undefined>;
  /** Opens what is wanted now, closes what is not. */
  settleSoon(): void;
}

const LABEL = "fairlead.docker";
/** Short, since the path of a socket has at most 107 bytes. */
const NAME_LENGTH = 16;

function nameActor({ scope, service }: DockerOwner): string {
  return `agent ${scope}/${service}`;
}

function createRecorder(options: AgentSocketsOptions): DockerRecorder {
  const { decisions, audit, clock } = options;
  const open = new Map<string, Decision>();
  return {
    async begin(owner, { call, title, object, inputs }) {
      const actor = nameActor(owner);
      const facts = { object, ...inputs };
      await audit.append({ kind: "docker", actor, what: call, outcome: "asked", facts });
      const { scope, service } = owner;
      const detail = "asked over its Docker socket";
      const decision = await decisions.begin(
        {
          key: `docker/${object}`,
          act: "agent.docker",
          service,
          object,
          title,
          trigger: { kind: "agent", detail, atMs: clock.nowMs() },
          rule: { text: LABEL },
          inputs: { call, ...inputs },
          notDone: [],
        },
        { scope, actor },
      );
      open.set(decision.id, decision);
      return decision.id;
    },
    end(owner, id, { call, object }, status, because) {
      const decision = open.get(id);
      open.delete(id);
      const isDone = status < 400;
      const result = isDone ? `the engine answered ${status}` : because;
      if (decision !== undefined)
        void decisions.finish(decision, { outcome: isDone ? "done" : "failed", result });
      const facts = { object, decision: id, ...(because === "" ? {} : { because }) };
      const actor = nameActor(owner);
      audit.note({ kind: "docker", actor, what: call, outcome: String(status), facts });
    },
    note(owner, call, status, because) {
      const entry = { actor: nameActor(owner), what: call, outcome: String(status) };
      audit.note({
        kind: "docker",
        ...entry,
        ...(because === undefined ? {} : { facts: { because } }),
      });
    },
  };
}

interface Opened {
  readonly limits: string;
  readonly socket: Promise<DockerSocket>;
}

/** Makes the keeper of sockets; none is open yet. */
export function createAgentSockets(options: AgentSocketsOptions): AgentSockets {
  const { directory, enginePath, logger } = options;
  const recorder = createRecorder(options);
  const opened = new Map<string, Opened>();
  let isClosed = false;

  function locate({ scope, service }: DockerOwner): string {
    const name = createHash("sha256")
      .update(JSON.stringify([scope, service]))
      .digest("hex");
    return join(directory, name.slice(0, NAME_LENGTH), "docker.sock");
  }

  async function close(key: string): Promise<void> {
    const one = opened.get(key);
    opened.delete(key);
    const socket = await one?.socket.catch(() => undefined);
    await socket?.[Symbol.asyncDispose]();
  }

  async function reopen(owner: DockerOwner, limits: DockerLimits, key: string) {
    await close(key);
    return options.open({ path: locate(owner), enginePath, owner, limits, recorder });
  }

  /** The socket of a service with these limits; one with others is closed first, and its connections are cut. */
  function ensure(owner: DockerOwner, limits: DockerLimits): Promise<DockerSocket> {
    const key = `${owner.scope}/${owner.service}`;
    const text = canonicalJson(limits);
    const known = opened.get(key);
    if (known?.limits === text) return known.socket;
    const socket = reopen(owner, limits, key);
    // What `reopen` closes is the one before: it looks before anything is awaited.
    opened.set(key, { limits: text, socket });
    socket.catch((thrown: unknown) => {
      if (opened.get(key)?.socket === socket) opened.delete(key);
      const reason = FairleadError.from(thrown).message;
      logger.error("a guarded Docker API cannot be opened", { service: key, reason });
    });
    return socket;
  }

  function settle(): void {
    const wanted = new Set<string>();
    for (const { desired } of options.loops().values()) {
      if (desired.removal !== undefined) continue;
      const { scope, services } = desired.intent;
      for (const { name: service, container } of services) {
        const limits = readDockerLimits(container.Labels?.[LABEL] ?? "");
        if (limits === undefined) continue;
        wanted.add(`${scope}/${service}`);
        void ensure({ scope, service }, limits).catch(() => undefined);
      }
    }
    for (const key of opened.keys()) {
      if (wanted.has(key)) continue;
      const [scope = "", service = ""] = key.split("/", 2);
      const folder = dirname(locate({ scope, service }));
      void close(key).then(() =>
        opened.has(key) ? undefined : rm(folder, { recursive: true, force: true }),
      );
    }
  }

  const settleSoon = gatherCalls(() => {
    if (!isClosed) settle();
  });

  return {
    async grant(scope, { name: service, container }) {
      const limits = readDockerLimits(container.Labels?.[LABEL] ?? "");
      if (limits === undefined || isClosed) return undefined;
      return dirname((await ensure({ scope, service }, limits)).path);
    },
    settleSoon: () => void settleSoon(),
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await Promise.all([...opened.keys()].map((key) => close(key)));
    },
  };
}
