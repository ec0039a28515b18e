/** Contract of every long-running part (collector, windows, sink, relay, query). */
export interface Service {
  readonly name: string;
  /** Runs until stopped, or until its work has an end (a tape). Rejects when it cannot go on; the process then drains and exits 1. */
  run(): Promise<void>;
  /** Takes nothing new, finishes what it has, keeps it, then lets `run` resolve. May be called again. */
  drain(): Promise<void>;
}
