// SPDX-License-Identifier: Apache-2.0
// The bounded queue between a source of messages and one client.

/** What is written to one client. */
export interface Outlet {
  /** Resolves once there is room, at once when dropping. False: nobody reads any more. */
  push(bytes: Uint8Array): Promise<boolean>;
  /** Writes only when nothing waits: signs of life must not pile up before a client that does not read. */
  beat(bytes: Uint8Array): void;
  /** Ends the stream after what is queued and `last`. */
  finish(last?: Uint8Array): void;
  readonly body: ReadableStream<Uint8Array>;
}

export interface OutletOptions {
  readonly sizeBytesMax: number;
  /** What a client that fell behind gets instead of its queue; absent means that the source waits. */
  readonly lagged?: Uint8Array;
  readonly onLagged: () => void;
  /** The client has everything, or went away. */
  readonly onClose: () => void;
}

interface QueueState {
  readonly chunks: Uint8Array[];
  sizeBytes: number;
  /** Nothing more will be queued. */
  finished: boolean;
  /** Nobody reads any more. */
  closed: boolean;
  wakeReader: (() => void) | undefined;
  wakeWriter: (() => void) | undefined;
}

function close(state: QueueState, onClose: () => void): void {
  state.finished = true;
  if (state.closed) return;
  state.closed = true;
  state.wakeWriter?.();
  onClose();
}

function put(state: QueueState, bytes: Uint8Array): void {
  state.chunks.push(bytes);
  state.sizeBytes += bytes.byteLength;
  state.wakeReader?.();
}

function createBody(state: QueueState, onClose: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (state.chunks.length === 0 && !state.finished) {
          await new Promise<void>((resolve) => (state.wakeReader = resolve));
        }
        const bytes = state.chunks.shift();
        if (bytes === undefined) {
          controller.close();
          close(state, onClose);
          return;
        }
        state.sizeBytes -= bytes.byteLength;
        controller.enqueue(bytes);
        state.wakeWriter?.();
      },
      cancel() {
        state.chunks.length = 0;
        close(state, onClose);
      },
    },
    { highWaterMark: 0 },
  );
}

/** An outlet that holds at most `sizeBytesMax`. */
export function createOutlet(options: OutletOptions): Outlet {
  const { sizeBytesMax, lagged, onLagged, onClose } = options;
  const state: QueueState = {
    chunks: [],
    sizeBytes: 0,
    finished: false,
    closed: false,
    wakeReader: undefined,
    wakeWriter: undefined,
  };
  function overflow(last: Uint8Array): void {
    state.chunks.length = 0;
    state.finished = true;
    put(state, last);
    onLagged();
  }
  return {
    body: createBody(state, onClose),
    async push(bytes) {
      if (state.finished) return false;
      if (lagged !== undefined && state.sizeBytes + bytes.byteLength > sizeBytesMax) {
        overflow(lagged);
        return false;
      }
      put(state, bytes);
      while (lagged === undefined && state.sizeBytes > sizeBytesMax && !state.closed) {
        await new Promise<void>((resolve) => (state.wakeWriter = resolve));
      }
      return !state.finished;
    },
    beat(bytes) {
      if (state.chunks.length === 0 && !state.finished) put(state, bytes);
    },
    finish(last) {
      if (state.finished) return;
      state.finished = true;
      if (last !== undefined) state.chunks.push(last);
      state.wakeReader?.();
    },
  };
}
