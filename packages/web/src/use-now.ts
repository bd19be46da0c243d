// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "react";

/** The time, renewed every `intervalMs`, so that ages stay true. */
export function useNow(intervalMs = 5_000): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNowMs(Date.now()), intervalMs);
    return () => window.clearInterval(timer);
  }, [intervalMs]);
  return nowMs;
}
