// SPDX-License-Identifier: Apache-2.0
// Plain calls of the Engine API for the lab's own tests, independent of Fairlead's client.
import { request } from "node:http";

/** What the engine answered; `body` is parsed JSON or undefined. */
export interface EngineAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** One call. Throws when the engine cannot be reached. */
export function callEngine(
  engine: { readonly socketPath: string },
  method: string,
  path: string,
  body?: object,
): Promise<EngineAnswer> {
  const { socketPath } = engine;
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          body: text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : undefined,
        }),
      );
    });
    sent.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Creates and starts a container of `busybox:lab`. Throws when the engine refuses. */
export async function runContainer(
  engine: { readonly socketPath: string },
  name: string,
  config: {
    readonly Cmd?: readonly string[];
    readonly ExposedPorts?: object;
    readonly HostConfig?: object;
  } = {},
): Promise<void> {
  const create = { Image: "busybox:lab", ...config };
  for (const [path, body] of [
    [`/containers/create?name=${name}`, create],
    [`/containers/${name}/start`, undefined],
  ] as const) {
    const answer = await callEngine(engine, "POST", path, body);
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
  }
}

/** Process id of a container's first process; 0 when it does not run. */
export async function readContainerPid(
  engine: { readonly socketPath: string },
  name: string,
): Promise<number> {
  const { body } = await callEngine(engine, "GET", `/containers/${name}/json`);
  const pid = (body as { State?: { Pid?: number } } | undefined)?.State?.Pid;
  return pid ?? 0;
}
