/** The clock and the frame loop of the browser or Node that the client runs in. */
import type { Clock } from '#shared/clock.ts';

/** Sub-millisecond where the platform allows it, and steady: a step of the system's clock does not show as a delay. */
export const systemClock: Clock = {
  nowMs: () => performance.timeOrigin + performance.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Calls back once, at the next frame: at most 60 times a second. */
export type FrameScheduler = (publish: () => void) => void;

const FRAME_MS = 1000 / 60;

/** Animation frames in a browser (none while the page is hidden), a timer elsewhere. */
export const systemFrames: FrameScheduler = (publish) => {
  if (typeof requestAnimationFrame === 'function') requestAnimationFrame(publish);
  else setTimeout(publish, FRAME_MS);
};
