/**
 * The drain beacon (SPEC SU-10): the only way in which a Durable Object learns that a client keeps up. A client that has
 * consumed everything sent so far sends BEACON as a text frame; the platform answers it with BEACON_REPLY without waking the
 * room and notes the time. A client that sends beacons once is watched from then on.
 */
export const BEACON = 'b';
/** Comes back as a text frame and means nothing else. */
export const BEACON_REPLY = 'k';
/** How often at most a client says so, and only when frames came in since the last time. */
export const BEACON_EVERY_MS = 500;
/** Consumed bytes after which it says so at once. */
export const BEACON_EVERY_BYTES = 32_768;
/** A room stops sending to a watched client that has owed a beacon for this long, */
export const STALE_AFTER_MS = 2_000;
/** or that was sent this much beyond its snapshots since its last beacon, the last one being a second old. */
export const STALE_AFTER_BYTES = 65_536;
export const STALE_BYTES_GRACE_MS = 1_000;
/** A stale client that stays so is closed with 4001. */
export const CLOSE_STALE_AFTER_MS = 30_000;
/** So is one that never sent anything, when this much was sent to it within an unbroken silence of this length. */
export const SILENT_CLOSE_MS = 300_000;
export const SILENT_CLOSE_BYTES = 16_777_216;
