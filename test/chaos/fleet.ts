/** The processes of a chaos run: each under a name, started again when it ends before its time. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { REPO } from '../support/data.ts';

interface Member {
  args: readonly string[];
  child: ChildProcess | undefined;
  /** Whether it is to run. */
  wanted: boolean;
  /** Set when it ended with code 0 by itself: its work is done. */
  finished: boolean;
  paused: boolean;
  starting: AbortController;
}

/** Before a process that ended by itself is started again. */
const REST_MS = 500;
const LAST_LINES = 4;

export class Fleet {
  readonly #members = new Map<string, Member>();
  readonly #logs: string;
  readonly #say: (line: string) => void;
  /** Processes that ended although nobody ended them, with code and last words. */
  readonly ownEnds: string[] = [];

  constructor(logs: string, say: (line: string) => void) {
    mkdirSync(logs, { recursive: true });
    this.#logs = logs;
    this.#say = say;
  }

  start(name: string, args: readonly string[]): void {
    const member: Member = {
      args,
      child: undefined,
      wanted: true,
      finished: false,
      paused: false,
      starting: new AbortController(),
    };
    this.#members.set(name, member);
    this.#spawn(name, member);
  }

  names(): string[] {
    return [...this.#members].filter(([, { wanted }]) => wanted).map(([name]) => name);
  }

  finished(name: string): boolean {
    return this.#members.get(name)?.finished ?? false;
  }

  #spawn(name: string, member: Member): void {
    const child = spawn(process.execPath, [`${REPO}core/cli/bin.js`, ...member.args], {
      cwd: REPO,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log = createWriteStream(join(this.#logs, `${name}.log`), { flags: 'a' });
    let last: string[] = [];
    const note = (chunk: Buffer): void => {
      last = [...last, ...chunk.toString().trimEnd().split('\n')].slice(-LAST_LINES);
      log.write(chunk);
    };
    child.stdout.on('data', note);
    child.stderr.on('data', note);
    member.child = child;
    member.paused = false;
    child.once('close', (code, signal) => {
      log.end();
      if (member.child === child) member.child = undefined;
      if (!member.wanted || signal === 'SIGKILL') return;
      if (code === 0) {
        member.finished = true;
        this.#say(`${name} has finished`);
        return;
      }
      const end = `${name} with ${signal ?? code}: ${last.join(' | ')}`;
      this.ownEnds.push(end);
      this.#say(`ended by itself: ${end}`);
      void this.#later(name, member, REST_MS);
    });
  }

  async #later(name: string, member: Member, afterMs: number): Promise<void> {
    await delay(afterMs, undefined, { signal: member.starting.signal }).catch(() => {});
    if (member.wanted && member.child === undefined && !member.finished) this.#spawn(name, member);
  }

  /** SIGKILL; the same process comes back after `downMs`. False when it was not running. */
  async kill(name: string, downMs: number): Promise<boolean> {
    const member = this.#members.get(name);
    const child = member?.child;
    if (member === undefined || child === undefined) return false;
    await ended(child, 'SIGKILL');
    void this.#later(name, member, downMs);
    return true;
  }

  /** Does not wait for its end. */
  pause(name: string, forMs: number): void {
    const member = this.#members.get(name);
    const child = member?.child;
    if (member === undefined || child === undefined || member.paused) return;
    member.paused = true;
    child.kill('SIGSTOP');
    void delay(forMs, undefined, { signal: member.starting.signal })
      .catch(() => {})
      .then(() => this.#resume(member, child));
  }

  #resume(member: Member, child: ChildProcess): void {
    if (member.child === child) member.paused = false;
    child.kill('SIGCONT');
  }

  /** Wakes all that are paused. */
  resumeAll(): void {
    for (const member of this.#members.values()) if (member.child !== undefined) this.#resume(member, member.child);
  }

  /** SIGTERM. Resolves with the exit code; undefined when it was not running. */
  async remove(name: string): Promise<number | null | undefined> {
    const member = this.#members.get(name);
    if (member === undefined) return undefined;
    member.wanted = false;
    member.starting.abort();
    const { child } = member;
    if (child === undefined) return undefined;
    this.#resume(member, child);
    return ended(child, 'SIGTERM');
  }

  /** SIGKILL, for good. */
  async end(name: string): Promise<void> {
    const member = this.#members.get(name);
    if (member === undefined) return;
    member.wanted = false;
    member.starting.abort();
    if (member.child !== undefined) await ended(member.child, 'SIGKILL');
  }

  /** SIGKILL for whatever is left. */
  async clear(): Promise<void> {
    await Promise.all([...this.#members.keys()].map((name) => this.end(name)));
  }
}

async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const end = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.kill(signal);
  return end;
}
