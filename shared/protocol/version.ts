/** Wire protocol version (SPEC PV-1). One line a version: what changed. */
export const PROTOCOL_VERSION = 1;
/** Oldest version still served. */
export const OLDEST_PROTOCOL_VERSION = 1;
// 1  2026-11  first: snapshot, update, catchup, heartbeat with checksum, skip, shutdown; JSON and MessagePack.
