/** The process decides itself what a signal means: libraries that would end it at once are taken off. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Does the work and removes the signal handlers that it added. Handlers of process exit stay. */
export async function keepingSignals<T>(work: () => Promise<T>): Promise<T> {
  const before = new Map(SIGNALS.map((signal) => [signal, new Set(process.listeners(signal))]));
  try {
    return await work();
  } finally {
    for (const signal of SIGNALS) {
      for (const listener of process.listeners(signal)) {
        if (before.get(signal)?.has(listener) === false) process.removeListener(signal, listener);
      }
    }
  }
}
