// SPDX-License-Identifier: Apache-2.0
// What a benchmark is: it measures Fairlead and its peers side by side in one run, alternating.

/** One measured value. */
export interface Sample {
  readonly metric: string;
  readonly unit: string;
  /** `fairlead` or the peer: `docker`, `swarm`, `docker-compose`, `bare-api`. */
  readonly subject: string;
  readonly value: number;
}

/** How a benchmark tells of itself. */
export interface BenchTools {
  /** A line of progress. */
  say(line: string): void;
  sample(sample: Sample): void;
}

export interface Bench {
  readonly name: string;
  /** One sentence: what is measured, against what. */
  readonly about: string;
  /** Measures. */
  run(tools: BenchTools): Promise<void>;
}

/** One row of a report. */
export interface Row {
  readonly bench: string;
  readonly metric: string;
  readonly unit: string;
  readonly subject: string;
  readonly p50: number;
  readonly p99: number;
  readonly n: number;
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** Medians and 99th percentiles by metric and subject, in the order of their first sample. */
export function summarize(bench: string, samples: readonly Sample[]): readonly Row[] {
  const groups = Map.groupBy(samples, (sample) => `${sample.metric} ${sample.subject}`);
  return [...groups.values()].flatMap((group): Row[] => {
    const [first] = group;
    if (first === undefined) return [];
    const values = group.map((sample) => sample.value).sort((a, b) => a - b);
    const { metric, unit, subject } = first;
    return [
      {
        bench,
        metric,
        unit,
        subject,
        p50: quantile(values, 0.5),
        p99: quantile(values, 0.99),
        n: values.length,
      },
    ];
  });
}

const DIGITS = 3;

/** As people read it: whole from a hundred on, and three digits that say something below, however small it is. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1 || size === 0) return value.toFixed(2);
  return Number(value.toPrecision(DIGITS)).toFixed(
    Math.min(20, DIGITS - 1 - Math.floor(Math.log10(size))),
  );
}
