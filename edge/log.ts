/** The edge's log: one JSON line an event, as the platform collects it. */
export function logEvent(level: 'warn' | 'error', message: string, fields: Record<string, string | number> = {}): void {
  console[level](JSON.stringify({ level, message, ...fields }));
}
