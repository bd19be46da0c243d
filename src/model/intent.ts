// SPDX-License-Identifier: Apache-2.0
// The nouns that cross the wire are declared once, as schemas, in packages/protocol; these are their types.
export type {
  AddressIntent,
  Attachment,
  BuildIntent,
  Dependency,
  Diagnostic,
  HealIntent,
  InlineFile,
  Intent,
  NetworkIntent,
  NetworkMode,
  PlacementIntent,
  RestartIntent,
  ServiceIntent,
  SharedNamespace,
  SourceRef,
  UpdateIntent,
  VolumeIntent,
} from "@fairlead/protocol/intent.ts";
export type { ContainerConfig, HostConfig, Mount } from "@fairlead/protocol/container.ts";
