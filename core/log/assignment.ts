/**
 * Which partitions (or other units of work) this process has, and how they move between processes. Membership only says who should
 * work; that two never write for one unit is the fence's doing (core/log/log.ts). A process that is alone has everything, and needs no assignment.
 */
export interface AssignmentHandler {
  /** The unit is ours from now on. */
  take(unit: number): void;
  /** The unit is to go elsewhere: nobody else gets it until this has resolved. */
  revoke(unit: number): Promise<void>;
  /** The group has given us up: somebody else may have the unit already. */
  lost(unit: number): void;
}

export interface Assignment {
  /** Takes part until `signal` aborts, then revokes everything, and leaves. Rejects only when taking part is impossible. */
  run(units: number, handler: AssignmentHandler, signal: AbortSignal): Promise<void>;
  /** Whether what we hold is still ours, asked now. */
  confirmed(): Promise<boolean>;
  /** Units that we hold. */
  held(): readonly number[];
}

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
