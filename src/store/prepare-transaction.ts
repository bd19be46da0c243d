// SPDX-License-Identifier: Apache-2.0
// What every driver accepts, checked in one place so that a caller cannot depend on one driver's leniency.
import { baseErrors, FairleadError } from "#base/errors.ts";
import { formatSize } from "#base/size.ts";
import type { StoreCondition, StoreOperation } from "./store.ts";

/** Longest key. Keys are printable ASCII so that every driver sorts them alike. */
const KEY_BYTES_MAX = 512;
/** Largest value as JSON text. A whole intent of thousands of services stays below 1 MiB. */
export const VALUE_BYTES_MAX = 8 * 1024 * 1024;
/** Most operations in one transaction: bounds how long a commit may hold up the rest. */
export const OPERATIONS_MAX = 4096;
/** Largest sum of values in one transaction. */
const TRANSACTION_BYTES_MAX = 32 * 1024 * 1024;
/** Longest lease. */
const LEASE_TTL_MS_MAX = 24 * 60 * 60 * 1000;

export type PreparedOperation =
  | {
      readonly kind: "put";
      readonly key: string;
      /** The value as JSON. */
      readonly text: string;
      readonly lease: string | undefined;
    }
  | { readonly kind: "delete"; readonly key: string };

export interface PreparedTransaction {
  readonly operations: readonly PreparedOperation[];
  readonly conditions: readonly StoreCondition[];
  /** Bytes of all keys and values. */
  readonly sizeBytes: number;
}

/** Checks the limits and freezes values as JSON text: later changes to the objects do not matter. Throws `invalid-argument`. */
export function prepareTransaction(
  operations: readonly StoreOperation[],
  conditions: readonly StoreCondition[],
): PreparedTransaction {
  if (operations.length > OPERATIONS_MAX) {
    refuse(`A transaction has ${operations.length} operations; the limit is ${OPERATIONS_MAX}`);
  }
  const seen = new Set<string>();
  let sizeBytes = 0;
  const prepared = operations.map((operation) => {
    checkKey(operation.key);
    if (seen.has(operation.key)) {
      refuse(`Key "${operation.key}" occurs twice in one transaction`);
    }
    seen.add(operation.key);
    const result = prepareOperation(operation);
    sizeBytes += result.key.length + (result.kind === "put" ? Buffer.byteLength(result.text) : 0);
    return result;
  });
  if (sizeBytes > TRANSACTION_BYTES_MAX) {
    refuse(
      `A transaction has ${formatSize(sizeBytes)}; the limit is ${formatSize(TRANSACTION_BYTES_MAX)}`,
    );
  }
  for (const condition of conditions) checkCondition(condition);
  return { operations: prepared, conditions: [...conditions], sizeBytes };
}

function prepareOperation(operation: StoreOperation): PreparedOperation {
  if (operation.kind === "delete") return { kind: "delete", key: operation.key };
  const text = renderValue(operation.key, operation.value);
  return { kind: "put", key: operation.key, text, lease: operation.lease };
}

function renderValue(key: string, value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (thrown) {
    const { message } = FairleadError.from(thrown);
    refuse(`The value of "${key}" cannot be written as JSON: ${message}`, thrown);
  }
  if (text === undefined) refuse(`The value of "${key}" cannot be written as JSON`);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > VALUE_BYTES_MAX) {
    refuse(
      `The value of "${key}" has ${formatSize(sizeBytes)}; the limit is ${formatSize(VALUE_BYTES_MAX)}`,
    );
  }
  return text;
}

/** Throws `invalid-argument` unless it is 1 to KEY_BYTES_MAX printable ASCII characters. */
export function checkKey(key: string): void {
  if (key.length === 0 || key.length > KEY_BYTES_MAX || !/^[\x20-\x7e]+$/.test(key)) {
    refuse(
      `${JSON.stringify(key.slice(0, 80))} is not a key: 1 to ${KEY_BYTES_MAX} printable ASCII characters are needed`,
    );
  }
}

/** As checkKey, but the empty prefix (everything) is fine. */
export function checkPrefix(prefix: string): void {
  if (prefix !== "") checkKey(prefix);
}

/** The first text that sorts after all keys with the prefix: keys end before 0x7f. */
export function endOfPrefix(prefix: string): string {
  return `${prefix}\x7f`;
}

/** Throws `invalid-argument` unless it is a positive whole number of milliseconds up to a day. */
export function checkTtl(ttlMs: number): void {
  if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > LEASE_TTL_MS_MAX) {
    refuse(`${ttlMs} is not a lease time: 1 to ${LEASE_TTL_MS_MAX} milliseconds are needed`);
  }
}

/** Throws `invalid-argument` unless it is absent or a whole number from 1. */
export function checkLimit(limit: number | undefined): void {
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1)) {
    refuse(`${limit} is not a limit: a whole number from 1 is needed`);
  }
}

function checkCondition(condition: StoreCondition): void {
  checkKey(condition.key);
  if (!Number.isSafeInteger(condition.revision) || condition.revision < 0) {
    refuse(`${condition.revision} is not a revision (key "${condition.key}")`);
  }
}

function refuse(message: string, cause?: unknown): never {
  throw new FairleadError(
    baseErrors["invalid-argument"],
    message,
    cause === undefined ? {} : { cause },
  );
}
