// SPDX-License-Identifier: Apache-2.0
// What programs import.
export { Agent } from "./agent.ts";
export type {
  AgentEnd,
  AgentOptions,
  ConsumeOptions,
  Consuming,
  ConsumingEnd,
  EmitOptions,
  Found,
  PingAnswer,
  Served,
  ServeOptions,
  Subscribed,
  SubscribeOptions,
} from "./agent-options.ts";
export type { CallOptions } from "./calling.ts";
export type { Client, Outcome } from "./client.ts";
export type { RouteExplanation } from "./choosing.ts";
export type { Target } from "./router.ts";
export type { Engine, ContainerOptions } from "./engine.ts";
export type { Log, LogFields } from "./log.ts";
export {
  contract,
  rpc,
  stream,
  type Contract,
  type ContractOptions,
  type Method,
  type Methods,
} from "./contract.ts";
export type { Caller } from "./credentials.ts";
export type { Duration } from "./duration.ts";
export { join, type JoinOptions } from "./join.ts";
export {
  openIdentity,
  type IdentityMaterial,
  type IdentityOptions,
  type NodeIdentity,
} from "./node-identity.ts";
export { Message, type MessageHandler } from "./messages.ts";
export type { Published, PublishOptions } from "./publishing.ts";
export type { SessionStatus } from "./node-session.ts";
export type { Handlers } from "./serve.ts";
export type { CallContext } from "./serving.ts";
export type { StandardSchema } from "./standard-schema.ts";
export { FabricError, type FabricCode } from "@fairlead/fabric/errors.ts";
export type { ContainerView, ListContainersRequest } from "@fairlead/protocol/fabric.ts";
export type { AgentChange, AgentRecord } from "@fairlead/protocol/agent.ts";
