/** Positions in a partition's stream (SPEC SQ-1..SQ-4). */

export interface Position {
  /** Names one life of the sequence; another epoch is another sequence. */
  epoch: number;
  seq: number;
}

export type Continuity = 'apply' | 'duplicate' | 'gap';

/** What a receiver at `have` does with updates that stand for `seqFrom..seq` of `epoch`. */
export function continuity(have: Position | undefined, epoch: number, seqFrom: number, seq: number): Continuity {
  if (have === undefined || have.epoch !== epoch) return 'gap';
  if (seq <= have.seq) return 'duplicate';
  return seqFrom <= have.seq + 1 ? 'apply' : 'gap';
}

export type ResumeDecision = 'nothing' | 'catchup' | 'snapshot';

/** What a sender at `now`, whose ring starts behind `ringStart`, owes a receiver that holds `have`. */
export function resumeFrom(have: Position | undefined, now: Position, ringStart: number): ResumeDecision {
  if (have === undefined || have.epoch !== now.epoch || have.seq > now.seq || have.seq < ringStart) return 'snapshot';
  return have.seq === now.seq ? 'nothing' : 'catchup';
}
