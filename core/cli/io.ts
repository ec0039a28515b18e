/** What a command may use of the process around it. */
import type { Clock } from '#shared/clock.ts';

/** Where a command writes to. */
export interface Out {
  /** Resolves when more may be written. Writing to a reader that has gone (`| head`) does nothing. */
  write(text: string): Promise<void>;
  /** Whether the reader has gone: the command may stop early, which is no error. */
  readonly closed: boolean;
  readonly isTty: boolean;
  readonly columns: number;
}

export interface CliIo {
  stdout: Out;
  stderr: Out;
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  /** Aborts when the process is asked to stop, by Ctrl-C or SIGTERM. A second time ends it at once. */
  readonly stop: AbortSignal;
  /** CPU time of the whole process so far, in seconds. */
  cpuSeconds(): number;
  /** The stream itself, for libraries that draw on it. */
  terminal: NodeJS.WriteStream;
}

/** The command cannot do its work. The message is one sentence for the user; `exitCode` 2 for usage, 1 for data. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}

export function streamOut(stream: NodeJS.WriteStream): Out {
  let closed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // EPIPE: whoever read the output has gone. Anything else (a full disk) has no other place to be told.
    closed = true;
    if (error.code !== 'EPIPE') process.exitCode = 1;
  });
  return {
    async write(text) {
      if (closed || text === '') return;
      if (!stream.write(text)) await drained(stream);
    },
    get closed() {
      return closed;
    },
    isTty: stream.isTTY,
    get columns() {
      return stream.columns ?? 120;
    },
  };
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    stream.on('drain', done).on('close', done).on('error', done);
  });
}
