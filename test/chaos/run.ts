/** One chaos run: a cluster on this machine, a tape through it, a schedule of deaths, and the verdict. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startKafka } from '../../infra/services/kafka.ts';
import { kill, stop, type Started } from '../../infra/services/service.ts';
import { openKafkaLog, type KafkaLog } from '../../core/log/kafka.ts';
import { lagOf } from '../../core/log/lag.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import { cli } from '../support/cli.ts';
import { check, isClean, type Verdict } from './check.ts';
import { Fleet } from './fleet.ts';
import { describeAction, scheduleOf, windowsName, type Action } from './schedule.ts';
import { spanMs, writeTape } from './tape.ts';

export interface ChaosOptions {
  seed: number;
  kills: number;
  /** Tapes of trades; one is made up when there are none. */
  tapes: readonly string[];
  /** Times recorded speed; so that the tape lasts as long as the schedule when absent. */
  speed?: number;
  /** Windows processes at the start. */
  windows: number;
  partitions: number;
  /** Middle of the pauses between actions. */
  gapMs: number;
  /** How long everything may take to come through after the last action. */
  drainTimeoutMs: number;
  /** Keeps the folder with logs and data. */
  keep: boolean;
  say: (line: string) => void;
}

export interface ChaosResult {
  verdict: Verdict;
  clean: boolean;
  kills: number;
  /** Kills and other actions that fell while the tape was running. */
  duringTape: number;
  actions: number;
  ownEnds: readonly string[];
  /** Processes that did not end with 0 when asked to at the end. */
  badExits: readonly string[];
  drainMs: number;
  folder: string;
}

const SESSION_TIMEOUT_MS = 6_000;
const POLL_MS = 500;
const DOWN_LOOK_MS = 50;
const PROGRESS_MS = 5_000;
/** How long a broker usually takes to be back; the schedule's length is reckoned with it. */
const BROKER_START_MS = 6_000;
const START_MS = 6_000;
const TAPE_MINUTES = 12;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const folder = mkdtempSync(join(tmpdir(), 'edgetape-chaos-'));
  const began = performance.now();
  const say = (line: string): void => options.say(`[${((performance.now() - began) / 1000).toFixed(1)} s] ${line}`);
  const run = new ChaosRun(options, folder, say);
  try {
    return await run.run();
  } finally {
    await run.clear();
    if (!options.keep) rmSync(folder, { recursive: true, force: true });
  }
}

class ChaosRun {
  readonly #options: ChaosOptions;
  readonly #folder: string;
  readonly #say: (line: string) => void;
  readonly #fleet: Fleet;
  #broker: Started | undefined;
  #log: KafkaLog | undefined;
  #brokerUp = false;
  #common: string[] = [];
  #tapes: readonly string[] = [];
  #kills = 0;
  #duringTape = 0;

  constructor(options: ChaosOptions, folder: string, say: (line: string) => void) {
    this.#options = options;
    this.#folder = folder;
    this.#say = say;
    this.#fleet = new Fleet(join(folder, 'logs'), say);
  }

  get #dataDir(): string {
    return join(this.#folder, 'data');
  }

  async run(): Promise<ChaosResult> {
    const { seed, kills, windows, gapMs, partitions } = this.#options;
    const steps = scheduleOf({ seed, kills, windows, gapMs, sessionTimeoutMs: SESSION_TIMEOUT_MS });
    this.#say(`seed ${seed}, ${kills} kills, ${steps.length} actions`);
    steps.forEach(({ afterMs, action }, i) => this.#say(`  ${i + 1}. after ${afterMs} ms: ${describeAction(action)}`));
    this.#tapes = this.#options.tapes.length > 0 ? this.#options.tapes : [this.#madeUpTape()];
    const lengthMs = steps.reduce((sum, { afterMs, action }) => sum + afterMs + lastsMs(action), START_MS);
    const speed = this.#options.speed ?? Math.max(0.1, Number(((await spanMs(this.#tapes)) / lengthMs).toFixed(1)));

    const broker = await startKafka({ dataDir: join(this.#folder, 'kafka'), temporary: false });
    this.#broker = broker;
    this.#brokerUp = true;
    this.#common = ['--brokers', broker.address, '--log-level', 'info', '--log-format', 'json'];
    const migrated = await cli(
      'migrate',
      '--brokers',
      broker.address,
      '--partitions',
      String(partitions),
      '--data-dir',
      this.#dataDir,
    );
    if (migrated.code !== 0) throw new Error(`migrate ended with ${migrated.code}: ${migrated.stderr}`);
    this.#log = await openKafkaLog({ brokers: [broker.address], clientId: 'chaos', clock: systemClock() });
    this.#say(`broker at ${broker.address}; tape ${this.#tapes.join(', ')} at ${speed} times its speed`);

    this.#startSink();
    for (let n = 1; n <= windows; n++) this.#startWindows(windowsName(n));
    this.#startCollector(String(speed));
    const progress = setInterval(() => void this.#progress(), PROGRESS_MS);
    try {
      for (const [i, { afterMs, action }] of steps.entries()) {
        await delay(afterMs);
        this.#say(`${i + 1}/${steps.length} ${describeAction(action)}`);
        if (!this.#fleet.finished('collector')) this.#duringTape++;
        await this.#do(action);
      }
      this.#say('schedule done; everything is woken, the rest of the tape goes at full speed');
      const drainBegan = performance.now();
      this.#fleet.resumeAll();
      await this.#drainAll();
      const drainMs = performance.now() - drainBegan;
      clearInterval(progress);
      const badExits = await this.#stopAll();
      this.#say(`everything has come through after ${(drainMs / 1000).toFixed(1)} s; checking`);
      const verdict = await check(this.#tapes, this.#dataDir);
      return {
        verdict,
        clean: isClean(verdict),
        kills: this.#kills,
        duringTape: this.#duringTape,
        actions: steps.length,
        ownEnds: this.#fleet.ownEnds,
        badExits,
        drainMs,
        folder: this.#folder,
      };
    } finally {
      clearInterval(progress);
    }
  }

  async clear(): Promise<void> {
    await this.#fleet.clear();
    await this.#log?.close();
    if (this.#broker !== undefined) await kill(this.#broker);
  }

  #madeUpTape(): string {
    const path = join(this.#folder, 'tape.csv.gz');
    writeTape(path, TAPE_MINUTES, this.#options.seed);
    return path;
  }

  #startSink(): void {
    this.#fleet.start('sink', [
      'run',
      'sink,query',
      ...this.#common,
      '--client-id',
      'sink',
      '--data-dir',
      this.#dataDir,
      '--port',
      '0',
    ]);
  }

  #startWindows(name: string): void {
    const session = ['--session-timeout-ms', String(SESSION_TIMEOUT_MS)];
    this.#fleet.start(name, ['run', 'windows', ...this.#common, '--client-id', name, ...session]);
  }

  #startCollector(speed: string): void {
    const tapes = this.#tapes.flatMap((tape) => ['--tape', tape]);
    this.#fleet.start('collector', [
      'run',
      'collector',
      ...this.#common,
      '--client-id',
      'collector',
      ...tapes,
      '--speed',
      speed,
    ]);
  }

  async #do(action: Action): Promise<void> {
    switch (action.kind) {
      case 'kill':
        // One that is down after an earlier kill is waited for: every kill of the schedule hits a process.
        while (!(await this.#fleet.kill(action.target, action.downMs))) {
          if (this.#fleet.finished(action.target)) {
            this.#say(`${action.target} has finished already`);
            return;
          }
          await delay(DOWN_LOOK_MS);
        }
        this.#kills++;
        return;
      case 'pause':
        this.#fleet.pause(action.target, action.forMs);
        return;
      case 'kill_broker':
        this.#kills++;
        await this.#restartBroker(action.downMs, kill);
        return;
      case 'stop_broker':
        await this.#restartBroker(action.downMs, stop);
        return;
      case 'add':
        this.#startWindows(action.target);
        return;
      case 'remove': {
        const code = await this.#fleet.remove(action.target);
        if (code === null) this.#say(`${action.target} was not up yet`);
        else if (code !== 0 && code !== undefined) this.#say(`${action.target} ended with ${code}`);
      }
    }
  }

  async #restartBroker(downMs: number, end: (started: Started) => Promise<void>): Promise<void> {
    const broker = this.#broker as Started;
    this.#brokerUp = false;
    await end(broker);
    await delay(downMs);
    this.#broker = await startKafka({ dataDir: broker.dataDir, temporary: false, port: broker.port });
    this.#brokerUp = true;
  }

  /** The tape to its end, and everything that follows from it into the store. */
  async #drainAll(): Promise<void> {
    const { drainTimeoutMs } = this.#options;
    const untilMs = performance.now() + drainTimeoutMs;
    if (!this.#fleet.finished('collector')) {
      await this.#fleet.end('collector');
      this.#startCollector('max');
    }
    for (let quiet = 0; quiet < 2;) {
      await delay(POLL_MS);
      const lag = this.#fleet.finished('collector') ? await this.#lag() : undefined;
      quiet = lag === 0 ? quiet + 1 : 0;
      if (performance.now() > untilMs)
        throw new Error(
          `not through after ${drainTimeoutMs / 1000} s: ${lag === undefined ? 'the collector has not finished' : `${lag} offsets behind`}`,
        );
    }
  }

  /** Offsets that windows and sink have before them, all together. */
  async #lag(): Promise<number> {
    const log = this.#log as KafkaLog;
    const counts = new Map((await log.topics()).map(({ name, partitions }) => [name, partitions]));
    const ticks = [TOPICS.trades, TOPICS.quotes];
    const made = [TOPICS.volumeProfile, TOPICS.statistics, TOPICS.deadLetter, ...TIMEFRAMES.map(aggregatesTopic)];
    let sum = 0;
    for (const [group, topics] of [
      ['windows', ticks],
      ['sink', [...ticks, ...made]],
    ] as const)
      for (const topic of topics)
        for (let partition = 0; partition < (counts.get(topic) ?? 0); partition++)
          sum += (await lagOf(log, group, topic, partition, 0)).records;
    return sum;
  }

  async #progress(): Promise<void> {
    if (!this.#brokerUp || this.#log === undefined) return;
    try {
      const behind = await this.#lag();
      this.#say(`${this.#kills} kills, ${this.#fleet.names().length} processes, ${behind} offsets behind`);
    } catch (error) {
      this.#say(`lag unknown: ${String(error)}`);
    }
  }

  /** SIGTERM in the order of the stream. Names and codes of those that did not end with 0. */
  async #stopAll(): Promise<string[]> {
    const bad: string[] = [];
    const names = this.#fleet.names();
    for (const name of [...names.filter((other) => other !== 'sink'), 'sink']) {
      const code = await this.#fleet.remove(name);
      if (code !== 0 && code !== undefined) bad.push(`${name} ended with ${code}`);
    }
    return bad;
  }
}

/** How long the action holds up the ones behind it. */
function lastsMs(action: Action): number {
  return action.kind === 'kill_broker' || action.kind === 'stop_broker' ? BROKER_START_MS + action.downMs : 0;
}
