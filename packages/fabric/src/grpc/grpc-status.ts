// SPDX-License-Identifier: Apache-2.0
// Status and deadline as headers (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
import type { IncomingHttpHeaders } from "node:http2";
import { codeOfNumber, FabricError, numberOfCode } from "@fairlead/fabric/errors.ts";

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** The error of a response's or trailers' gRPC status; undefined for OK. */
export function readGrpcStatus(headers: IncomingHttpHeaders): FabricError | undefined {
  const number = Number(headers["grpc-status"] ?? 0);
  if (number === 0) return undefined;
  const text = String(headers["grpc-message"] ?? "");
  let message = text;
  try {
    message = decodeURIComponent(text);
  } catch {
    // A peer that does not encode is shown as it is.
  }
  return new FabricError(
    codeOfNumber(number),
    message || `the peer answered with status ${number}`,
  );
}

/** The trailers of an error, or of success. */
export function writeGrpcStatus(error: FabricError | undefined): Record<string, string> {
  if (error === undefined) return { "grpc-status": "0" };
  return {
    "grpc-status": String(numberOfCode(error.code)),
    "grpc-message": encodeURIComponent(error.message),
  };
}

/** Milliseconds of a `grpc-timeout`; undefined for none. Throws `invalid_argument` for what is none. */
export function readTimeout(value: string | string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = TIMEOUT.exec(String(value));
  if (match === null)
    throw new FabricError("invalid_argument", `"${String(value)}" is no grpc-timeout`);
  const [, count = "0", unit = "m"] = match;
  return Number(count) * (UNIT_MS[unit] ?? 1);
}
