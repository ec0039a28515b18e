/** Shows that a value moved: direction by arrow and colour, and a wash that dwells and fades (none under reduced motion). */

const DWELL_MS = 280;
const CHECK_MS = 70;

const lit = new Map<HTMLElement, number>();
let timer: ReturnType<typeof setInterval> | undefined;

export type Direction = 'up' | 'down';

/** Which way a decimal moved; undefined when it did not or nothing came before. */
export function directionOf(before: string | undefined, after: string): Direction | undefined {
  if (before === undefined || before === after) return undefined;
  const difference = Number(after) - Number(before);
  return difference > 0 ? 'up' : difference < 0 ? 'down' : undefined;
}

export function flash(target: HTMLElement, direction: Direction): void {
  target.dataset['flash'] = direction;
  lit.set(target, performance.now() + DWELL_MS);
  timer ??= setInterval(fade, CHECK_MS);
}

function fade(): void {
  const now = performance.now();
  for (const [target, untilMs] of lit) {
    if (now < untilMs) continue;
    delete target.dataset['flash'];
    lit.delete(target);
  }
  if (lit.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

export function arrowOf(direction: Direction | undefined): string {
  return direction === 'up' ? '▲' : direction === 'down' ? '▼' : '';
}
