// SPDX-License-Identifier: Apache-2.0
export type { FlowEnd, FlowQuery, FlowVerdict, FlowView } from "@fairlead/protocol/flows.ts";
