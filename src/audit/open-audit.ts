// SPDX-License-Identifier: Apache-2.0
// Opens the log of a node: goes on where it ended, and says in the log itself when that is not where it has to be.
import { mkdir } from "node:fs/promises";
import type { Clock } from "#base/clock.ts";
import { FairleadError } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { AuditLine, AuditLog, AuditQuery, HeadKeeper } from "./audit.ts";
import { listFiles, readLines } from "./files.ts";
import { createHeadWriter } from "./head-writer.ts";
import { isSigned, openHeadKey } from "./head.ts";
import { createLineWriter, type ChainEnd } from "./line-writer.ts";
import { decodeLine, GENESIS } from "./line.ts";
import { describeRemoval, planRemoval, removeFiles, type Retention } from "./retention.ts";
import { createCourier, type AuditSink } from "./sink.ts";
import { verifyFiles, type KeptHead } from "./verify-files.ts";

export interface AuditOptions {
  readonly directory: string;
  /** File of the key that signs heads. */
  readonly keyPath: string;
  readonly node: string;
  readonly keepers: readonly HeadKeeper[];
  /** Where copies of the lines go; none by default. */
  readonly sinks?: readonly AuditSink[];
  /** Everything is kept by default. */
  readonly retention?: Retention;
}

/** Where the files end, and what is wrong with that end. */
interface FilesEnd extends ChainEnd {
  /** Bytes of a line that a crash cut off. */
  readonly tornBytes: number;
  readonly broken?: string;
}

async function findEnd(directory: string): Promise<FilesEnd> {
  const file = (await listFiles(directory)).at(-1);
  if (file === undefined) return { seq: 0, hash: GENESIS, tornBytes: 0 };
  const { lines, rest } = await readLines(directory, file);
  const keepBytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const tornBytes = rest.length;
  const began = lines[0] === undefined ? undefined : decodeLine(lines[0])?.atMs;
  const resume = { file, keepBytes, ...(began === undefined ? {} : { beganAtMs: began }) };
  const bytes = lines.at(-1);
  const last = bytes === undefined ? undefined : decodeLine(bytes);
  if (last !== undefined) return { seq: last.seq, hash: last.hash, resume, tornBytes };
  const seq = Number(file.slice("audit-".length, -".jsonl".length)) - 1 + lines.length;
  if (bytes !== undefined)
    return { seq, hash: "", tornBytes, broken: `line ${seq}, the last, was changed` };
  // A crash right after a file was begun leaves it empty: the hash to go on from is in the one before.
  const before = (await listFiles(directory)).at(-2);
  const tail = before === undefined ? undefined : (await readLines(directory, before)).lines.at(-1);
  const hash = tail === undefined ? GENESIS : (decodeLine(tail)?.hash ?? "");
  return { seq, hash, resume, tornBytes };
}

async function readHeads(keepers: readonly HeadKeeper[]): Promise<readonly KeptHead[]> {
  return Promise.all(
    keepers.map(async (keeper): Promise<KeptHead> => {
      try {
        return { keeper: keeper.name, head: await keeper.read() };
      } catch (thrown) {
        const problem = FairleadError.from(thrown).message;
        return { keeper: keeper.name, head: undefined, problem };
      }
    }),
  );
}

/** Goes on after what a keeper knows when the files do not reach it: they were cut, or are an older copy. */
function settleEnd(end: FilesEnd, kept: readonly KeptHead[], publicKey: string): FilesEnd {
  const [beyond] = kept
    .flatMap(({ keeper, head }) => (head === undefined ? [] : [{ keeper, head }]))
    .filter(({ head }) => head.publicKey === publicKey && isSigned(head))
    .filter(({ head }) => head.seq > end.seq || (head.seq === end.seq && head.hash !== end.hash))
    .sort((a, b) => b.head.seq - a.head.seq);
  if (beyond !== undefined) {
    const { keeper, head } = beyond;
    const broken =
      end.broken ?? `${keeper} knows line ${head.seq}, the files end with line ${end.seq}`;
    return { seq: head.seq, hash: head.hash, tornBytes: 0, broken };
  }
  if (end.broken === undefined) return end;
  const { resume: _left, ...others } = end;
  return others;
}

/** Opens it. Throws FL1602 `audit-key`; a disk that is full is no error until a line is to be written. */
export async function openAudit(
  options: AuditOptions,
  parts: { readonly clock: Clock; readonly logger: Logger },
): Promise<AuditLog> {
  const { directory, node, keepers } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const key = openHeadKey(options.keyPath);
  const { publicKey } = key;
  const end = settleEnd(await findEnd(directory), await readHeads(keepers), publicKey);
  const heads = createHeadWriter({ node, key, keepers, ...parts });
  const couriers = (options.sinks ?? []).map((sink) => createCourier(sink, parts));
  const writer = createLineWriter({
    directory,
    end,
    ...parts,
    onWritten(head, lines) {
      heads.set(head);
      for (const courier of couriers) courier.push(lines);
    },
    onBegun: () => prune(),
  });
  let pruning: Promise<void> | undefined;
  /** Removes what is too old, one round at a time. A round that fails is tried again with the next file. */
  function prune(): void {
    const { retention } = options;
    if (retention === undefined) return;
    const work = async (): Promise<void> => {
      const removal = await planRemoval(directory, retention, parts.clock.nowMs());
      if (removal === undefined) return;
      await writer.append(describeRemoval(removal));
      await removeFiles(directory, removal);
    };
    pruning ??= work()
      .catch((thrown: unknown) => {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        parts.logger.warn("old files of the audit log are not removed", { reason });
      })
      .finally(() => (pruning = undefined));
  }
  if (end.tornBytes > 0)
    writer.note({
      kind: "audit",
      actor: "automatic",
      what: "cut off a torn line",
      outcome: "the node ended while it wrote",
      facts: { bytes: end.tornBytes },
    });
  if (end.broken !== undefined) writer.noteBreach(end.broken);
  prune();
  return {
    append: (entry) => writer.append(entry),
    note: (entry) => writer.note(entry),
    async list(query) {
      await writer.settled();
      return listLines(directory, query);
    },
    async verify() {
      await pruning;
      await writer.settled();
      await heads.settled();
      const last = writer.seq;
      return verifyFiles({ directory, heads: await readHeads(keepers), publicKey, last });
    },
    get problem() {
      return writer.problem ?? couriers.find(({ problem }) => problem !== undefined)?.problem;
    },
    async [Symbol.asyncDispose]() {
      await pruning;
      await writer.close();
      await heads.close();
      await Promise.all(couriers.map((courier) => courier.close()));
    },
  };
}

function isAsked(line: AuditLine, { kind, actor, sinceMs, untilMs }: AuditQuery): boolean {
  return (
    (kind === undefined || line.kind === kind) &&
    (actor === undefined || line.actor === actor) &&
    (sinceMs === undefined || line.atMs >= sinceMs) &&
    (untilMs === undefined || line.atMs <= untilMs)
  );
}

async function listLines(directory: string, query: AuditQuery): Promise<readonly AuditLine[]> {
  const found: AuditLine[] = [];
  for (const file of (await listFiles(directory)).toReversed()) {
    const { lines } = await readLines(directory, file);
    for (const bytes of lines.toReversed()) {
      const line = decodeLine(bytes);
      if (line === undefined || !isAsked(line, query)) continue;
      found.push(line);
      if (found.length >= query.limit) return found;
    }
  }
  return found;
}
