// SPDX-License-Identifier: Apache-2.0
// The writing half of the driver. Each request carries the decision it belongs to.
import { setTimeout as sleep } from "node:timers/promises";
import { FairleadError, isKind } from "#base/errors.ts";
import type { Engine, EngineReader, WriteOptions } from "#engine/engine.ts";
import { engineErrors } from "#engine/errors.ts";
import type { Connection } from "./connection.ts";
import { createInstance, putFiles } from "./create-instance.ts";
import { runExec } from "./exec.ts";
import { buildImage, readProgress } from "./images.ts";
import { namePortHolder } from "./port-holder.ts";
import { splitReference, withTag } from "./reference.ts";
import { at, parts, START_MS } from "./write-parts.ts";

const SLOW_MS = 120_000;
/** Between the grace time and the answer the engine has to tidy up. */
const AFTER_GRACE_MS = 10_000;
const RELEASE_TURNS = 15;
const RELEASE_PAUSE_MS = 200;

type Writes = Omit<Engine, keyof EngineReader>;

async function unlessGone(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    const gone =
      isKind(error, engineErrors["not-there"]) || isKind(error, engineErrors["image-missing"]);
    if (!gone) throw error;
  }
}

/** The engine's key for an endpoint whose container it has lost; a container's own key is its id. */
const ORPHAN = /^ep-/;

interface Users {
  /** Endpoints whose containers are gone, left behind as they were removed while they started. Freed. */
  readonly orphans: number;
  /** All that the engine knows of. */
  readonly all: number;
}

/** Frees a network from what nobody uses any more, and says what the engine showed. */
async function releaseOrphans(
  connection: Connection,
  path: string,
  options: WriteOptions,
): Promise<Users> {
  const { Containers = {} } = (await connection.call("GET", path)) as {
    Containers?: Readonly<Record<string, { readonly Name: string }>>;
  };
  const orphans = Object.entries(Containers).filter(([key]) => ORPHAN.test(key));
  for (const [, { Name }] of orphans) {
    const json = { Container: Name, Force: true };
    await unlessGone(
      connection.call("POST", `${path}/disconnect`, parts(options, START_MS, { json })),
    );
  }
  return { orphans: orphans.length, all: Object.keys(Containers).length };
}

/** Makes the writing half over a connection. */
export function createWriter(connection: Connection): Writes {
  function post(path: string, options: WriteOptions, deadlineMs = START_MS): Promise<unknown> {
    return connection.call("POST", path, parts(options, deadlineMs));
  }

  async function isGoing(id: string, { signal }: WriteOptions): Promise<boolean> {
    let answer: unknown;
    await unlessGone(
      connection.call("GET", `${at(id)}/json`, { signal }).then((document) => (answer = document)),
    );
    const { State } = (answer ?? {}) as { State?: { readonly Status?: string } };
    return State === undefined || State.Status === "removing";
  }

  const seconds = (ms: number): number => Math.ceil(ms / 1_000);

  return {
    createInstance: (request, options) => createInstance(connection, request, options),
    async startInstance(id, options) {
      try {
        await post(`${at(id)}/start`, options);
      } catch (error) {
        throw await namePortHolder(connection, error, options.signal);
      }
    },
    stopInstance(id, options) {
      const signal =
        options.signalName === undefined ? "" : `&signal=${encodeURIComponent(options.signalName)}`;
      const path = `${at(id)}/stop?t=${seconds(options.graceMs)}${signal}`;
      return unlessGone(post(path, options, options.graceMs + AFTER_GRACE_MS));
    },
    async killInstance(id, options) {
      const signal = encodeURIComponent(options.signalName ?? "SIGKILL");
      try {
        await unlessGone(post(`${at(id)}/kill?signal=${signal}`, options));
      } catch (error) {
        // 409: it does not run, which is what a kill is for.
        if (!(error instanceof FairleadError && error.facts["status"] === 409)) throw error;
      }
    },
    async restartInstance(id, options) {
      await post(
        `${at(id)}/restart?t=${seconds(options.graceMs)}`,
        options,
        options.graceMs + START_MS,
      );
    },
    async renameInstance(id, name, options) {
      await post(`${at(id)}/rename?name=${encodeURIComponent(name)}`, options);
    },
    async removeInstance(id, options) {
      const query = `force=${options.force}&v=${options.anonymousVolumes}`;
      try {
        await unlessGone(connection.call("DELETE", `${at(id)}?${query}`, parts(options, START_MS)));
      } catch (error) {
        // 409: somebody else removes it, or it runs and is not to be forced. The engine tells them apart in words only,
        // so it is asked how the container is.
        if (!(error instanceof FairleadError && error.facts["status"] === 409)) throw error;
        if (!options.force && !(await isGoing(id, options))) throw error;
      }
    },
    async pauseInstance(id, options) {
      await post(`${at(id)}/pause`, options);
    },
    async unpauseInstance(id, options) {
      await post(`${at(id)}/unpause`, options);
    },
    putFiles: (id, files, options) => putFiles(connection, id, files, options),
    exec: (id, command, options) => runExec(connection, id, command, options),
    async createNetwork(intent, labels, options) {
      const json = {
        Name: intent.name,
        CheckDuplicate: true,
        Driver: intent.driver ?? "bridge",
        Internal: intent.internal,
        Attachable: intent.attachable,
        EnableIPv6: intent.enableIpv6,
        Options: intent.options,
        Labels: { ...intent.labels, ...labels },
        ...(intent.ipam === undefined
          ? {}
          : {
              IPAM: {
                Driver: intent.ipam.driver ?? "default",
                Options: intent.ipam.options,
                Config: intent.ipam.config,
              },
            }),
      };
      const { Id } = (await connection.call(
        "POST",
        "/networks/create",
        parts(options, START_MS, { json }),
      )) as { Id: string };
      return Id;
    },
    async removeNetwork(id, options) {
      const path = `/networks/${encodeURIComponent(id)}`;
      const remove = () => unlessGone(connection.call("DELETE", path, parts(options, START_MS)));
      // The engine lets go of the endpoints of a removed container a moment after it has said that it is gone.
      for (let turn = 1; ; turn++) {
        try {
          return await remove();
        } catch (error) {
          if (!isKind(error, engineErrors["still-in-use"])) throw error;
          const users = await releaseOrphans(connection, path, options);
          if (turn > RELEASE_TURNS)
            throw users.all > 0
              ? error
              : new FairleadError(
                  engineErrors["endpoints-miscounted"],
                  `the engine says that the network is in use, and by nobody: ${error.message}`,
                  { cause: error },
                );
          if (users.orphans === 0)
            await sleep(RELEASE_PAUSE_MS, undefined, options.signal && { signal: options.signal });
        }
      }
    },
    async createVolume(intent, labels, options) {
      const json = {
        Name: intent.name,
        Driver: intent.driver ?? "local",
        DriverOpts: intent.options,
        Labels: { ...intent.labels, ...labels },
      };
      await connection.call("POST", "/volumes/create", parts(options, START_MS, { json }));
    },
    removeVolume: (name, options) =>
      unlessGone(
        connection.call("DELETE", `/volumes/${encodeURIComponent(name)}`, parts(options, START_MS)),
      ),
    async pullImage(reference, options) {
      const platform =
        options.platform === undefined ? "" : `&platform=${encodeURIComponent(options.platform)}`;
      const path = `/images/create?fromImage=${encodeURIComponent(withTag(reference))}${platform}`;
      const response = await connection.stream("POST", path, parts(options, SLOW_MS));
      await readProgress(response, engineErrors["image-missing"], options.onProgress);
    },
    async tagImage(reference, tag, options) {
      const to = splitReference(tag);
      const query = new URLSearchParams({ repo: to.repository, tag: to.tag ?? "latest" });
      await post(`/images/${encodeURIComponent(reference)}/tag?${query}`, options);
    },
    removeImage: (reference, options) =>
      unlessGone(
        connection.call(
          "DELETE",
          `/images/${encodeURIComponent(reference)}?force=${options.force === true}`,
          parts(options, START_MS),
        ),
      ),
    async loadImage(tar, options) {
      const response = await connection.stream(
        "POST",
        "/images/load?quiet=1",
        parts(options, SLOW_MS, { body: tar, contentType: "application/x-tar" }),
      );
      const lines: string[] = [];
      await readProgress(response, engineErrors["engine-refused"], (line) => void lines.push(line));
      return lines.flatMap((line) => /^Loaded image(?: ID)?: (\S+)/.exec(line)?.[1] ?? []);
    },
    async importImage(tar, options) {
      const { repository, tag = "latest" } = splitReference(options.reference);
      const query = new URLSearchParams({ fromSrc: "-", repo: repository, tag });
      for (const change of options.changes ?? []) query.append("changes", change);
      const response = await connection.stream(
        "POST",
        `/images/create?${query}`,
        parts(options, SLOW_MS, { body: tar, contentType: "application/x-tar" }),
      );
      await readProgress(response, engineErrors["engine-refused"], undefined);
    },
    buildImage: (context, options) => buildImage(connection, context, options),
  };
}
