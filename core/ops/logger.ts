/** Logging port: one line, one event, fields apart from words. Adapters write JSON lines, or readable ones on a terminal. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};

/** Hands on to `logger` as long as `muted` says no: for parts whose complaints mean nothing while the process stops. */
export function mutedWhen(muted: () => boolean, logger: Logger): Logger {
  const unlessMuted =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      if (!muted()) logger[level](message, fields);
    };
  return {
    debug: unlessMuted('debug'),
    info: unlessMuted('info'),
    warn: unlessMuted('warn'),
    error: unlessMuted('error'),
    child: (fields) => mutedWhen(muted, logger.child(fields)),
  };
}
