// SPDX-License-Identifier: Apache-2.0
// Makes several tables as prepared, all in the same transactions: in steps where what stands is known, whole where it is not, or
// where the kernel takes the steps not, as after somebody else has changed it.
import { isKind } from "#base/errors.ts";
import type { Protection } from "#guard/guard.ts";
import { netfilterErrors } from "#netfilter/errors.ts";
import type { Netfilter } from "#netfilter/netfilter.ts";
import type { Steps } from "./render-table.ts";

/** One table, and what has to be done for it. */
export interface Prepared {
  readonly protection: Protection;
  /** Commands that make it anew; none when everything stands. */
  readonly whole: readonly string[];
  /** The same from what stands. */
  readonly steps?: Steps | undefined;
  /** Called once it was made. */
  note(): Promise<void>;
}

/** Everything stands. */
export const NOTHING_TO_DO: Prepared = {
  protection: "unchanged",
  whole: [],
  note: () => Promise.resolve(),
};

/** What changed of several. */
function sumUp(prepared: readonly Prepared[]): Protection {
  const has = (one: Protection): boolean => prepared.some(({ protection }) => protection === one);
  return has("drifted") ? "drifted" : has("installed") ? "installed" : "unchanged";
}

function listSteps(prepared: readonly Prepared[]): Steps | undefined {
  const all = prepared.map(({ whole, steps }) =>
    whole.length === 0 ? { news: [], gone: [] } : steps,
  );
  const known = all.filter((steps) => steps !== undefined);
  if (known.length < all.length) return undefined;
  return { news: known.flatMap(({ news }) => news), gone: known.flatMap(({ gone }) => gone) };
}

/** False when the kernel does not take them, and nothing was changed. */
async function take(netfilter: Netfilter, commands: readonly string[]): Promise<boolean> {
  try {
    await netfilter.apply(commands);
    return true;
  } catch (thrown) {
    if (isKind(thrown, netfilterErrors["netfilter-refused"])) return false;
    throw thrown;
  }
}

/** Makes them. `onNews` is called when what is new stands, while what goes may stand still. */
export async function makeTables(
  netfilter: Netfilter,
  prepared: readonly Prepared[],
  onNews: () => Promise<void>,
): Promise<Protection> {
  const whole = prepared.flatMap((one) => one.whole);
  const steps = listSteps(prepared);
  const isBegun = steps !== undefined && (await take(netfilter, steps.news));
  if (!isBegun) await netfilter.apply(whole);
  const finish = async (): Promise<void> => {
    if (isBegun && !(await take(netfilter, steps.gone))) await netfilter.apply(whole);
  };
  await Promise.all([finish(), onNews()]);
  for (const { note } of prepared) await note();
  return sumUp(prepared);
}
