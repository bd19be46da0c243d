// SPDX-License-Identifier: Apache-2.0
// Making a container whole. The engine's create takes one network and no files: the rest are calls of their own, and
// whoever makes them may be killed between any two.
import type { CreateRequest, FileEntry, WriteOptions } from "#engine/engine.ts";
import { OWN_LABELS } from "#model/facts.ts";
import type { Connection } from "./connection.ts";
import { packFiles } from "./tar.ts";
import { at, parts, START_MS } from "./write-parts.ts";

type Endpoint = CreateRequest["endpoints"][number];

function toEndpoint(endpoint: Endpoint): object {
  const { ipv4Address, ipv6Address, linkLocalIps } = endpoint;
  const fixed =
    ipv4Address !== undefined || ipv6Address !== undefined || linkLocalIps !== undefined;
  return {
    Aliases: endpoint.aliases,
    MacAddress: endpoint.macAddress,
    DriverOpts: endpoint.driverOptions,
    ...(fixed
      ? {
          IPAMConfig: {
            IPv4Address: ipv4Address,
            IPv6Address: ipv6Address,
            LinkLocalIPs: linkLocalIps,
          },
        }
      : {}),
  };
}

function toCreateBody(request: CreateRequest, own: Readonly<Record<string, string>>): object {
  const { config } = request;
  const [first] = request.endpoints;
  return {
    ...config,
    Labels: { ...config.Labels, ...request.labels, ...own },
    HostConfig: {
      ...config.HostConfig,
      NetworkMode: request.networkMode,
      ...(request.pidMode === undefined ? {} : { PidMode: request.pidMode }),
      ...(request.ipcMode === undefined ? {} : { IpcMode: request.ipcMode }),
      ...(request.volumesFrom === undefined || request.volumesFrom.length === 0
        ? {}
        : { VolumesFrom: request.volumesFrom }),
    },
    ...(first === undefined
      ? {}
      : { NetworkingConfig: { EndpointsConfig: { [first.network]: toEndpoint(first) } } }),
  };
}

/** Writes files as one tar into `/` of a container that need not run. */
export async function putFiles(
  connection: Connection,
  id: string,
  files: readonly FileEntry[],
  options: WriteOptions,
): Promise<void> {
  const body = packFiles(files);
  await connection.call(
    "PUT",
    `${at(id)}/archive?path=${encodeURIComponent("/")}`,
    parts(options, START_MS, { body, contentType: "application/x-tar" }),
  );
}

async function create(
  connection: Connection,
  request: CreateRequest,
  name: string,
  options: WriteOptions,
): Promise<string> {
  const query = new URLSearchParams({ name });
  if (request.platform !== undefined) query.set("platform", request.platform);
  const json = toCreateBody(request, name === request.name ? {} : { [OWN_LABELS.madeAs]: name });
  const { Id } = (await connection.call(
    "POST",
    `/containers/create?${query}`,
    parts(options, START_MS, { json }),
  )) as { Id: string };
  return Id;
}

/** What the engine's create could not do; the name comes last, since it says that all is done. */
async function complete(
  connection: Connection,
  id: string,
  request: CreateRequest,
  options: WriteOptions,
): Promise<void> {
  const { name, endpoints, files = [] } = request;
  for (const endpoint of endpoints.slice(1)) {
    const json = { Container: id, EndpointConfig: toEndpoint(endpoint) };
    const path = `/networks/${encodeURIComponent(endpoint.network)}/connect`;
    await connection.call("POST", path, parts(options, START_MS, { json }));
  }
  if (files.length > 0) await putFiles(connection, id, files, options);
  const rename = `${at(id)}/rename?name=${encodeURIComponent(name)}`;
  await connection.call("POST", rename, parts(options, START_MS));
}

/** Makes a container: all of it, or none under its name. */
export async function createInstance(
  connection: Connection,
  request: CreateRequest,
  options: WriteOptions,
): Promise<string> {
  const { name, endpoints, files = [] } = request;
  if (endpoints.length <= 1 && files.length === 0)
    return create(connection, request, name, options);
  // Every try has a name of its own, so that what an earlier one left is in nobody's way.
  const id = await create(connection, request, `${name}.${options.decision}`, options);
  try {
    await complete(connection, id, request, options);
  } catch (error) {
    // What cannot be removed is known by its name. The first error is the one to tell.
    const { decision } = options;
    await connection
      .call("DELETE", `${at(id)}?force=true&v=true`, { decision, deadlineMs: START_MS })
      .catch(() => undefined);
    throw error;
  }
  return id;
}
