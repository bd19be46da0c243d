// SPDX-License-Identifier: Apache-2.0
// The face of the warden room: sockets on which agents speak the Docker API, each with its own containers alone.
import type { DockerLimits } from "#model/docker-limits.ts";

/** Whose socket it is. */
export interface DockerOwner {
  readonly scope: string;
  readonly service: string;
}

/** A call that writes, before it is passed on. */
export interface DockerAct {
  /** `POST /containers/{id}/start`: never with what the caller put into it. */
  readonly call: string;
  /** Past tense, for people: `started tool-1`. */
  readonly title: string;
  /** Name of the container, as the agent knows it. */
  readonly object: string;
  readonly inputs: Readonly<Record<string, string | number | boolean>>;
}

/** Who is told of every call. */
export interface DockerRecorder {
  /** Resolves with the decision that the call to the engine bears. When it rejects, nothing is passed on. */
  begin(owner: DockerOwner, act: DockerAct): Promise<string>;
  /** How it ended: the engine's status, and what it said when it refused. */
  end(owner: DockerOwner, decision: string, act: DockerAct, status: number, because: string): void;
  /** A call that only read, or was refused: `because` says why. */
  note(owner: DockerOwner, call: string, status: number, because?: string): void;
}

/** One socket. Disposing cuts every connection and removes it. */
export interface DockerSocket extends AsyncDisposable {
  readonly path: string;
  readonly owner: DockerOwner;
  readonly limits: DockerLimits;
}

/** What sockets are opened with. */
export interface DockerSocketOptions {
  /** Where it is made; one that is there is replaced. */
  readonly path: string;
  /** The engine's own socket. */
  readonly enginePath: string;
  readonly owner: DockerOwner;
  readonly limits: DockerLimits;
  readonly recorder: DockerRecorder;
}

/** Opens a socket that everybody who sees it may use: who sees it is said by where it is mounted. */
export type OpenDockerSocket = (options: DockerSocketOptions) => Promise<DockerSocket>;
