/** Time as a collaborator (DESIGN §3.19): logic takes a Clock, tests move it by hand. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. */
  nowMs(): number;
  /** Calls back once after `delayMs`; the returned function cancels it and may be called any number of times. */
  schedule(delayMs: number, callback: () => void): () => void;
}
