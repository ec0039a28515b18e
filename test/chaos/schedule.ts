/** What is done to the cluster, when and to whom: all of it follows from the seed. Pure. */
import { rng } from '../support/rng.ts';

export type Action =
  /** SIGKILL; started again after `downMs`. */
  | { kind: 'kill'; target: string; downMs: number }
  /** SIGSTOP, and SIGCONT after `forMs`; other things go on meanwhile. */
  | { kind: 'pause'; target: string; forMs: number }
  /** SIGKILL of the broker; counts as a kill. */
  | { kind: 'kill_broker'; downMs: number }
  /** SIGTERM of the broker. */
  | { kind: 'stop_broker'; downMs: number }
  | { kind: 'add'; target: string }
  /** SIGTERM: the process drains and leaves. */
  | { kind: 'remove'; target: string };

export interface Step {
  /** Pause before the action. */
  afterMs: number;
  action: Action;
}

export interface ScheduleOptions {
  seed: number;
  /** How many `kill` and `kill_broker` there are. */
  kills: number;
  /** Windows processes at the start. */
  windows: number;
  /** Middle of the pauses between actions. */
  gapMs: number;
  sessionTimeoutMs: number;
}

type Kind = Action['kind'];

const MOST_WINDOWS = 5;
const SHARES: readonly (readonly [Kind, number])[] = [
  ['kill', 0.64],
  ['kill_broker', 0.05],
  ['stop_broker', 0.03],
  ['pause', 0.16],
  ['add', 0.06],
  ['remove', 0.06],
];

export function windowsName(n: number): string {
  return `windows-${n}`;
}

/** Every kind of action stands in a schedule of three kills or more, and each role is killed in one of five or more. */
export function scheduleOf(options: ScheduleOptions): Step[] {
  const random = rng(options.seed);
  const between = (low: number, high: number): number => Math.round(low + (high - low) * random());
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const kinds = shuffled(kindsOf(options.kills, random), random);
  const forced = options.kills >= 5 ? shuffled(['collector', 'windows', 'sink'], random) : [];
  const alive = Array.from({ length: options.windows }, (_, i) => windowsName(i + 1));
  let added = options.windows;
  const target = (): string => {
    const role = forced.shift() ?? pick(['collector', 'windows', 'windows', 'windows', 'sink']);
    return role === 'windows' ? pick(alive) : role;
  };
  let longPause = true;
  const actionOf = (kind: Kind): Action => {
    if (kind === 'kill') return { kind, target: target(), downMs: random() < 0.7 ? 0 : between(200, 3_000) };
    if (kind === 'kill_broker' || kind === 'stop_broker') return { kind, downMs: between(0, 3_000) };
    if (kind === 'pause') {
      const long = longPause || random() < 0.25;
      longPause = false;
      const forMs = long ? options.sessionTimeoutMs + between(500, 3_000) : between(200, 2_500);
      return { kind, target: long ? pick(alive) : pick(['collector', 'sink', ...alive]), forMs };
    }
    // What does not fit turns into its opposite.
    if ((kind === 'add' && alive.length < MOST_WINDOWS) || alive.length < 2) {
      const name = windowsName(++added);
      alive.push(name);
      return { kind: 'add', target: name };
    }
    const name = pick(alive);
    alive.splice(alive.indexOf(name), 1);
    return { kind: 'remove', target: name };
  };
  return kinds.map((kind) => ({
    afterMs: between(options.gapMs * 0.2, options.gapMs * 1.8),
    action: actionOf(kind),
  }));
}

function kindsOf(kills: number, random: () => number): Kind[] {
  const kinds: Kind[] = kills >= 3 ? ['kill_broker', 'stop_broker', 'pause', 'add', 'remove'] : [];
  let left = kills - (kills >= 3 ? 1 : 0);
  while (left > 0) {
    let roll = random();
    const kind = SHARES.find(([, share]) => (roll -= share) < 0)?.[0] ?? 'kill';
    kinds.push(kind);
    if (kind === 'kill' || kind === 'kill_broker') left--;
  }
  return kinds;
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'kill':
      return `kill -9 ${action.target}${action.downMs === 0 ? '' : `, down for ${action.downMs} ms`}`;
    case 'pause':
      return `pause ${action.target} for ${action.forMs} ms`;
    case 'kill_broker':
      return `kill -9 the broker, down for ${action.downMs} ms`;
    case 'stop_broker':
      return `stop the broker, down for ${action.downMs} ms`;
    case 'add':
    case 'remove':
      return `${action.kind} ${action.target}`;
  }
}
