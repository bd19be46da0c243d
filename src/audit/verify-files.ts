// SPDX-License-Identifier: Apache-2.0
// Reads the whole log and says what is not as it was written. Knows nothing but the files and the heads it is given.
import type { AuditFinding, AuditHead, AuditReport, HeadReport } from "./audit.ts";
import { listFiles, nameFile, readLines } from "./files.ts";
import { isSigned } from "./head.ts";
import { decodeLine, GENESIS } from "./line.ts";
import { readRemoval } from "./retention.ts";

/** A head, or why there is none, by who keeps it. */
export interface KeptHead {
  readonly keeper: string;
  readonly head: AuditHead | undefined;
  readonly problem?: string;
}

export interface VerifyOptions {
  readonly directory: string;
  readonly heads: readonly KeptHead[];
  /** The key that heads have to be signed with. */
  readonly publicKey: string;
  /** The line that the writer wrote last, when it runs: later ones are not read. */
  readonly last?: number;
}

const FINDINGS_MAX = 100;

interface Chain {
  seq: number;
  hash: string;
  count: number;
  /** The first line that is here, and the hash that it says of the one before. */
  begin: { readonly seq: number; readonly prev: string } | undefined;
  /** Up to which line the log says that older ones were removed, and that line's hash. */
  removed: { readonly seq: number; readonly hash: string } | undefined;
  /** Hashes of the lines that heads name. */
  readonly asked: Map<number, string | undefined>;
  readonly findings: AuditFinding[];
}

function find(chain: Chain, finding: AuditFinding): void {
  if (chain.findings.length < FINDINGS_MAX) chain.findings.push(finding);
}

function describeStep(seq: number, expected: number): string {
  if (seq > expected) {
    const gone =
      seq - 1 === expected ? `line ${expected} is` : `lines ${expected} to ${seq - 1} are`;
    return `${gone} not here`;
  }
  return `line ${seq} stands where line ${expected} has to be`;
}

function checkLine(chain: Chain, bytes: Buffer, at: { file: string; line: number }): void {
  chain.count++;
  const line = decodeLine(bytes);
  if (line === undefined) {
    find(chain, {
      ...at,
      text: `line ${chain.seq + 1} was changed: its bytes do not fit its hash`,
    });
    chain.seq++;
    chain.hash = "";
    return;
  }
  // Where older lines were removed the log begins later; whether it may is known when all of it is read.
  if (chain.count === 1) {
    chain.begin = { seq: line.seq, prev: line.prev };
    if (line.seq > 1) [chain.seq, chain.hash] = [line.seq - 1, line.prev];
  }
  chain.removed = readRemoval(line) ?? chain.removed;
  const expected = chain.seq + 1;
  if (line.seq !== expected) find(chain, { ...at, text: describeStep(line.seq, expected) });
  else if (chain.hash !== "" && line.prev !== chain.hash)
    find(chain, { ...at, text: `line ${line.seq} does not follow the line before it` });
  if (line.kind === "audit" && line.what === "broken")
    find(chain, { ...at, text: `the node found the log broken here: ${line.outcome}` });
  chain.seq = line.seq;
  chain.hash = line.hash;
  if (chain.asked.has(line.seq)) chain.asked.set(line.seq, line.hash);
}

/** A log that does not begin with its first line has to say itself why. */
function checkBegin({ begin, removed, findings }: Chain): void {
  const before = (begin?.seq ?? 1) - 1;
  if (before === 0) return;
  const [first, to] = [nameFile(before + 1), removed?.seq ?? 0];
  const gone = to + 1 === before ? `line ${before} is` : `lines ${to + 1} to ${before} are`;
  if (before > to) findings.unshift({ file: first, line: 1, text: `${gone} not here` });
  else if (before === to && begin?.prev !== removed?.hash)
    findings.unshift({
      file: first,
      line: 1,
      text: `line ${before + 1} does not follow the line that was removed before it`,
    });
}

function judgeHead({ keeper, head, problem }: KeptHead, chain: Chain, key: string): HeadReport {
  if (problem !== undefined) return { keeper, ok: false, text: `cannot be read: ${problem}` };
  if (head === undefined) {
    const ok = chain.count === 0;
    return { keeper, ok, text: ok ? "none yet" : "has no head, although there are lines" };
  }
  const { seq, atMs } = head;
  const report = (ok: boolean, text: string): HeadReport => ({ keeper, seq, atMs, ok, text });
  if (!isSigned(head) || head.publicKey !== key)
    return report(false, "is not signed with this node's key");
  if (seq > chain.seq)
    return report(false, `knows line ${seq}, but the log ends at line ${chain.seq}`);
  if (chain.asked.get(seq) !== head.hash) return report(false, `knows another line ${seq}`);
  return report(true, seq === chain.seq ? "is the last line" : "is a line of the log");
}

/** Verifies. Rejects when the files cannot be read. */
export async function verifyFiles(options: VerifyOptions): Promise<AuditReport> {
  const { directory, heads, publicKey, last = Infinity } = options;
  const asked = new Map(
    heads.flatMap(({ head }) => (head === undefined ? [] : [[head.seq, undefined] as const])),
  );
  const chain: Chain = {
    seq: 0,
    hash: GENESIS,
    count: 0,
    begin: undefined,
    removed: undefined,
    asked,
    findings: [],
  };
  for (const file of await listFiles(directory)) {
    if (chain.seq >= last) break;
    const first = chain.seq + 1;
    if (file !== nameFile(first) && chain.count > 0)
      find(chain, { file, text: `this file does not begin with line ${first}` });
    const { lines, rest } = await readLines(directory, file);
    for (const [index, bytes] of lines.entries()) {
      if (chain.seq >= last) break;
      checkLine(chain, bytes, { file, line: index + 1 });
    }
    if (rest.length > 0 && chain.seq < last)
      find(chain, { file, line: lines.length + 1, text: "the last line has no end" });
  }
  if (last !== Infinity && chain.seq < last)
    find(chain, {
      file: "",
      text: `the node has written line ${last}, but the log ends at line ${chain.seq}`,
    });
  checkBegin(chain);
  const reports = heads.map((kept) => judgeHead(kept, chain, publicKey));
  const { count: lines, findings, begin } = chain;
  return { lines, first: begin?.seq ?? 1, findings, heads: reports, publicKey };
}
