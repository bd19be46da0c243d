// SPDX-License-Identifier: Apache-2.0

/** Repeated and hedged calls as a share of calls, so that a service that fails is not buried under repetitions. */
export class RetryBudget {
  readonly #share: number;
  readonly #spare: number;
  #tokens: number;

  /** `spare`: how many may be repeated at once after a quiet time. */
  constructor(share: number, spare = 10) {
    this.#share = share;
    this.#spare = share > 0 ? spare : 0;
    this.#tokens = this.#spare;
  }

  /** A call was made. */
  deposit(): void {
    this.#tokens = Math.min(this.#spare, this.#tokens + this.#share);
  }

  /** Whether one more may be made now; counts it if so. */
  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
