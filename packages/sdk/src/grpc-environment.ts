// SPDX-License-Identifier: Apache-2.0
import { networkInterfaces } from "node:os";
import { setTimeout } from "node:timers/promises";
import { dial } from "@fairlead/fabric/grpc/dial.ts";
import { createHealthMethods } from "@fairlead/fabric/grpc/health.ts";
import { listen } from "@fairlead/fabric/grpc/listen.ts";
import type { TlsSource } from "@fairlead/fabric/grpc/tls-files.ts";
import type { Environment } from "./environment.ts";

export interface GrpcEnvironmentOptions {
  /** `unix:/path` or `host:port` of the node. */
  readonly node: string;
  /** Where to listen; false: peers reach this agent through its node. Port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number } | false;
  /** Addresses to announce in place of those found. */
  readonly advertise?: readonly string[];
  /** Mutual TLS with peers, and with the node where it is not on a unix socket. */
  readonly tls?: TlsSource;
}

const DIAL_MS_MAX = 2_000;
const ANY = new Set(["0.0.0.0", "::", "[::]"]);

/** Addresses under which a listener on `host` may be reached. */
function findAddresses(host: string, port: number): readonly string[] {
  if (!ANY.has(host)) return [`${host}:${port}`];
  const found = Object.values(networkInterfaces()).flatMap((one) => one ?? []);
  return found
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => `${address}:${port}`)
    .slice(0, 8);
}

/** The real world. */
export function createGrpcEnvironment(options: GrpcEnvironmentOptions): Environment {
  const { listen: at, tls } = options;
  const dialAt = (address: string) =>
    dial({
      address,
      timeoutMs: DIAL_MS_MAX,
      ...(tls === undefined || address.startsWith("unix:")
        ? {}
        : { tls: tls.read(), follow: (listener) => tls.onChange(listener) }),
    });
  const base = {
    dialNode: () => dialAt(options.node),
    dialPeer: dialAt,
    nowMs: Date.now,
    sleep: (delayMs: number, signal: AbortSignal) => setTimeout(delayMs, undefined, { signal }),
    random: Math.random,
  };
  if (at === false) return base;
  return {
    ...base,
    async listen(onTransport, health) {
      const listener = await listen({
        at,
        onTransport,
        methods: createHealthMethods(
          (service) => health.ask(service),
          (listener) => health.onChange(listener),
        ),
        ...(tls === undefined ? {} : { tls }),
      });
      const port = Number(listener.address.slice(listener.address.lastIndexOf(":") + 1));
      return {
        addresses: options.advertise ?? findAddresses(at.host, port),
        async [Symbol.asyncDispose]() {
          tls?.[Symbol.dispose]();
          await listener[Symbol.asyncDispose]();
        },
      };
    },
  };
}
