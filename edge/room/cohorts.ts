/** Listeners that are told exactly the same: same class, same encoding, same topics. They share every frame (DESIGN §3.9). */
import type { Encoding } from './frames.ts';
import type { Session } from './session.ts';
import { partitionOfKey, type TopicList } from './topic-list.ts';

export interface Cohort {
  readonly windowMs: number;
  readonly encoding: Encoding;
  readonly topics: TopicList;
  readonly byPartition: ReadonlyMap<number, ReadonlySet<string>>;
  readonly members: Set<Session>;
  /** Position of its members, by partition: what was last sent to them. */
  readonly seqs: Map<number, number>;
}

export class Cohorts {
  readonly #partitions: number;
  /** By class and encoding, then by list of topics (lists are shared, see TopicLists). */
  readonly #groups = new Map<string, Map<TopicList, Cohort>>();

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  get size(): number {
    let size = 0;
    for (const group of this.#groups.values()) size += group.size;
    return size;
  }

  *all(): Iterable<Cohort> {
    for (const group of this.#groups.values()) yield* group.values();
  }

  *ofClass(windowMs: number): Iterable<Cohort> {
    for (const encoding of ['msgpack', 'json', 'sse'] as const) {
      const group = this.#groups.get(groupKey(windowMs, encoding));
      if (group !== undefined) yield* group.values();
    }
  }

  has(windowMs: number, ...encodings: Encoding[]): boolean {
    return encodings.some((encoding) => this.#groups.has(groupKey(windowMs, encoding)));
  }

  /**
   * Puts a session where its topics belong. Positions move with it; a cohort's is the lowest of its members', which is safe:
   * what lies between did not touch their topics.
   */
  place(session: Session, told: ReadonlyMap<number, number>): void {
    const before = session.cohort;
    this.remove(session);
    if (session.active.length === 0) return;
    const key = groupKey(session.windowMs, session.encoding);
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, (group = new Map()));
    let cohort = group.get(session.active);
    if (cohort === undefined) group.set(session.active, (cohort = this.#create(session)));
    for (const partition of cohort.byPartition.keys()) {
      const mine = told.get(partition) ?? before?.seqs.get(partition) ?? 0;
      cohort.seqs.set(partition, Math.min(mine, cohort.seqs.get(partition) ?? mine));
    }
    cohort.members.add(session);
    session.cohort = cohort;
  }

  remove(session: Session): void {
    const { cohort } = session;
    session.cohort = undefined;
    if (cohort === undefined) return;
    cohort.members.delete(session);
    if (cohort.members.size > 0) return;
    const key = groupKey(cohort.windowMs, cohort.encoding);
    const group = this.#groups.get(key);
    group?.delete(cohort.topics);
    if (group?.size === 0) this.#groups.delete(key);
  }

  #create(session: Session): Cohort {
    const byPartition = new Map<number, Set<string>>();
    for (const key of session.active) {
      const partition = partitionOfKey(key, this.#partitions);
      const keys = byPartition.get(partition);
      if (keys === undefined) byPartition.set(partition, new Set([key]));
      else keys.add(key);
    }
    const { windowMs, encoding, active: topics } = session;
    return { windowMs, encoding, topics, byPartition, members: new Set(), seqs: new Map() };
  }
}

function groupKey(windowMs: number, encoding: Encoding): string {
  return `${windowMs} ${encoding}`;
}
