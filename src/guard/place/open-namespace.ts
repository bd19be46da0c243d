// SPDX-License-Identifier: Apache-2.0
// The network namespace of a container, for certain: process ids are used again, and rules in the wrong namespace would cut
// off somebody else, the host included.
import { open, readFile, stat, type FileHandle } from "node:fs/promises";
import { FairleadError, isKind } from "#base/errors.ts";
import { guardErrors } from "#guard/errors.ts";
import type { Place } from "#guard/guard.ts";

/** An open namespace; it cannot become another one. */
export interface Namespace extends AsyncDisposable {
  /** By which other programs enter it, while this is open. */
  readonly path: string;
  /** Its number in the kernel. */
  readonly inode: bigint;
}

/** Whether that is why no rules can be there: they end with their namespace, and the host's own never has any of ours. */
export const isNowhere = (error: unknown): boolean =>
  isKind(error, guardErrors["guard-no-namespace"]) ||
  isKind(error, guardErrors["guard-host-network"]);

function unknown(place: Place, why: string, cause?: unknown): FairleadError {
  return new FairleadError(guardErrors["guard-no-namespace"], `${place.id.slice(0, 12)}: ${why}`, {
    cause,
    facts: { pid: place.pid },
  });
}

async function openFile(place: Place): Promise<FileHandle> {
  try {
    return await open(`/proc/${place.pid}/ns/net`, "r");
  } catch (error) {
    throw unknown(place, "its first process is gone", error);
  }
}

/** Whether the process is of that container; looked at after its namespace was opened. */
async function isOf(place: Place): Promise<boolean> {
  try {
    return (await readFile(`/proc/${place.pid}/cgroup`, "utf8")).includes(place.id);
  } catch {
    return false;
  }
}

/** Opens it. Throws FL1701 `guard-host-network`, FL1702 `guard-no-namespace`. */
export async function openNamespace(place: Place): Promise<Namespace> {
  if (place.pid <= 0) throw unknown(place, "it does not run");
  const file = await openFile(place);
  try {
    if (!(await isOf(place))) throw unknown(place, "its process id is another's by now");
    const { ino } = await file.stat({ bigint: true });
    const own = await stat("/proc/self/ns/net", { bigint: true });
    const host = await stat("/proc/1/ns/net", { bigint: true }).catch(() => own);
    if (ino === own.ino || ino === host.ino)
      throw new FairleadError(
        guardErrors["guard-host-network"],
        `${place.id.slice(0, 12)} lives in the host's own network`,
      );
    return {
      path: `/proc/${process.pid}/fd/${file.fd}`,
      inode: ino,
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}
