/** What a user is told of an error: its sentence; the stack only at log level debug. */
export function sentenceOf(error: unknown, env: Readonly<Record<string, string | undefined>>): string {
  if (!(error instanceof Error)) return String(error);
  if (env['EDGETAPE_LOG_LEVEL'] === 'debug' && error.stack !== undefined) return error.stack;
  const sentence = error.message.trim();
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
    ? `something went wrong here: ${sentence} (EDGETAPE_LOG_LEVEL=debug shows where)`
    : sentence;
}
