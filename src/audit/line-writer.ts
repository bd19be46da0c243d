// SPDX-License-Identifier: Apache-2.0
// Puts entries into the chain, many with one write when many wait. What may not be done unlogged is refused when that
// fails; notes wait until there is room again.
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { AuditEntry } from "./audit.ts";
import { auditErrors } from "./errors.ts";
import { encodeLine } from "./line.ts";
import { beginTail, FILE_BYTES_MAX, openTail, type Tail } from "./tail.ts";

/** The end of the chain, and the file to go on in. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
  /** Absent: a new file begins. */
  readonly resume?: {
    readonly file: string;
    readonly keepBytes: number;
    /** When its first line was written. */
    readonly beganAtMs?: number;
  };
}

export interface LineWriterOptions {
  readonly directory: string;
  readonly end: ChainEnd;
  readonly clock: Clock;
  readonly logger: Logger;
  onWritten(head: { readonly seq: number; readonly hash: string }, lines: readonly Buffer[]): void;
  /** A file was begun that is not the first. */
  onBegun(): void;
}

export interface LineWriter {
  append(entry: AuditEntry): Promise<number>;
  note(entry: AuditEntry): void;
  /** Says in the log, and to people, that it is not as it was left. */
  noteBreach(text: string): void;
  /** The line that was written last. */
  readonly seq: number;
  readonly problem: string | undefined;
  /** Writes what waits; resolves once nothing is being written. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Notes that may wait for the disk. */
const WAITING_MAX = 10_000;
const RETRY_MS = 1_000;
/** Lines that one write takes. */
const BATCH_MAX = 256;
/** How long notes are gathered before they are written together: a note for each read would cost each read a disk's answer. */
const GATHER_MS = 50;

interface Waiting {
  readonly entry: AuditEntry;
  readonly atMs: number;
  /** Absent for notes. */
  readonly settle?: { resolve(seq: number): void; reject(error: unknown): void };
}

function refuse(message: string, cause?: unknown): FairleadError {
  return new FairleadError(auditErrors["audit-unwritable"], message, { cause });
}

const toDay = (atMs: number): number => Math.floor(atMs / 86_400_000);

/** The file to write to: the one that was left, a new one when it is large, of another day, or is not as it was left. */
function createFiles({ directory, end, clock, onBegun }: LineWriterOptions, onBreach: () => void) {
  let resume = end.resume;
  let tail: Tail | undefined;
  /** Of the first line of the file. */
  let day = toDay(resume?.beganAtMs ?? clock.nowMs());
  async function close(): Promise<void> {
    const open = tail;
    tail = undefined;
    await open?.close();
  }
  return {
    close,
    async open(nextSeq: number): Promise<Tail> {
      if (tail !== undefined && !(await tail.isOurs())) {
        await close();
        onBreach();
      }
      const today = toDay(clock.nowMs());
      const isOver = (sizeBytes: number): boolean =>
        sizeBytes >= FILE_BYTES_MAX || (sizeBytes > 0 && day !== today);
      if (tail !== undefined && isOver(tail.sizeBytes)) await close();
      if (tail !== undefined) return tail;
      if (resume !== undefined && !isOver(resume.keepBytes))
        tail = await openTail(directory, resume.file, resume.keepBytes);
      else {
        tail = await beginTail(directory, nextSeq);
        if (nextSeq > 1) onBegun();
      }
      resume = undefined;
      day = tail.sizeBytes === 0 ? today : day;
      return tail;
    },
  };
}

/** What waits to be written, in order. */
function createWaiting(nowMs: () => number) {
  const waiting: Waiting[] = [];
  let lost = 0;
  return {
    get length() {
      return waiting.length;
    },
    push(entry: AuditEntry, settle?: Waiting["settle"]): void {
      const one = { entry, atMs: nowMs() };
      if (settle === undefined && waiting.length >= WAITING_MAX) {
        lost++;
        waiting.shift()?.settle?.reject(refuse("too many lines wait for the disk"));
      }
      waiting.push(settle === undefined ? one : { ...one, settle });
    },
    take(): Waiting[] {
      if (lost === 0) return waiting.splice(0, BATCH_MAX);
      const facts = { count: lost };
      const entry: AuditEntry = {
        kind: "audit",
        actor: "automatic",
        what: "lost lines",
        outcome: `${lost} notes found no room`,
        facts,
      };
      lost = 0;
      return [{ entry, atMs: nowMs() }, ...waiting.splice(0, BATCH_MAX)];
    },
    giveBack: (batch: readonly Waiting[]) => void waiting.unshift(...batch),
    /** Refuses all that may not wait. */
    refuse(error: FairleadError): void {
      const refused = waiting.filter(({ settle }) => settle !== undefined);
      const notes = waiting.filter(({ settle }) => settle === undefined);
      waiting.splice(0, waiting.length, ...notes);
      for (const { settle } of refused) settle?.reject(error);
    },
  };
}

/** Makes the writer; nothing is touched before the first entry. */
export function createLineWriter(options: LineWriterOptions): LineWriter {
  const { clock, logger } = options;
  const waiting = createWaiting(() => clock.nowMs());
  const files = createFiles(options, () =>
    noteBreach(`the file that ends with line ${seq} was changed while the node ran`),
  );
  const stopping = new AbortController();
  let { seq, hash } = options.end;
  let full: string | undefined;
  let breach: string | undefined;
  let isRetrying = false;
  let isGathering = false;
  let running: Promise<void> | undefined;

  function noteBreach(text: string): void {
    breach = text;
    logger.error("the audit log is not as it was left", { reason: text });
    waiting.push({ kind: "audit", actor: "automatic", what: "broken", outcome: text });
  }

  async function writeBatch(): Promise<void> {
    const file = await files.open(seq + 1);
    const batch = waiting.take();
    const place = { seq, hash };
    const chunks = batch.map(({ entry, atMs }) => {
      const line = encodeLine(entry, { seq: ++place.seq, atMs, prev: place.hash });
      place.hash = line.hash;
      return line.bytes;
    });
    try {
      await file.add(Buffer.concat(chunks));
    } catch (error) {
      waiting.giveBack(batch);
      throw error;
    }
    full = undefined;
    for (const [index, { settle }] of batch.entries()) settle?.resolve(seq + index + 1);
    ({ seq, hash } = place);
    options.onWritten(place, chunks);
  }

  function giveUp(thrown: unknown): void {
    const because = thrown instanceof Error ? thrown.message : String(thrown);
    if (full === undefined) logger.error("the audit log cannot be written", { reason: because });
    full = `the audit log cannot be written: ${because}`;
    waiting.refuse(refuse(full, thrown));
    if (isRetrying) return;
    isRetrying = true;
    const retry = (): void => {
      isRetrying = false;
      start();
    };
    clock.sleep(RETRY_MS, stopping.signal).then(retry, () => undefined);
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      try {
        await writeBatch();
      } catch (thrown) {
        return giveUp(thrown);
      }
    }
  }

  /** Gathers notes for a moment. */
  function startSoon(): void {
    if (running !== undefined || isGathering || isRetrying) return;
    isGathering = true;
    const begin = (): void => {
      isGathering = false;
      start();
    };
    clock.sleep(GATHER_MS, stopping.signal).then(begin, () => undefined);
  }

  function start(): void {
    running ??= drain().finally(() => {
      running = undefined;
      if (full === undefined && waiting.length > 0) start();
    });
  }

  return {
    append: (entry) =>
      new Promise((resolve, reject) => {
        waiting.push(entry, { resolve, reject });
        start();
      }),
    note(entry) {
      waiting.push(entry);
      startSoon();
    },
    noteBreach(text) {
      noteBreach(text);
      start();
    },
    get seq() {
      return seq;
    },
    get problem() {
      return full ?? (breach === undefined ? undefined : `the audit log was broken: ${breach}`);
    },
    async settled() {
      if (waiting.length > 0 && full === undefined) start();
      while (running !== undefined) await running;
    },
    async close() {
      do {
        start();
        await running;
      } while (waiting.length > 0 && full === undefined);
      stopping.abort();
      await files.close();
    },
  };
}
