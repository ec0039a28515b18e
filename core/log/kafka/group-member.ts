/**
 * A member of a Kafka group, for membership, heartbeats and rebalances only: data is read by our own reader, and offsets are
 * committed in transactions under another group id. The broker takes units from a member that has been silent for the session
 * timeout; a member that drains keeps its heartbeats going.
 */
import type { Logger } from '../../ops/logger.ts';
import { aborted, type Assignment, type AssignmentHandler } from '../assignment.ts';
import { LogError } from '../log-error.ts';
import type { Calls } from './calls.ts';
import { decodeUnits, encodeUnits, planUnits } from './group-plan.ts';
import type { BrokerApi } from './broker-api.ts';
import { COORDINATOR, type Lanes } from './internals.ts';

export interface GroupMemberOptions {
  calls: Calls;
  groupId: string;
  /** A member that is silent for so long is taken for dead, ms. Brokers take no less than 6 s unless told to. */
  sessionTimeoutMs: number;
  /** How long a member may drain before it is given up, ms. */
  rebalanceTimeoutMs: number;
  logger: Logger;
}

const PROTOCOL = 'edgetape-units-1';
const RETRY_MS = 200;

/** What the broker says of our membership. */
type Standing = 'member' | 'rebalance' | 'unknown';

const STANDING: Readonly<Record<string, Standing>> = {
  REBALANCE_IN_PROGRESS: 'rebalance',
  UNKNOWN_MEMBER_ID: 'unknown',
  ILLEGAL_GENERATION: 'unknown',
  FENCED_INSTANCE_ID: 'unknown',
};

export class GroupMember implements Assignment {
  readonly #options: GroupMemberOptions;
  readonly #lanes: Lanes;
  readonly #owned = new Set<number>();
  #memberId = '';
  #generationId = -1;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    // A join waits at the broker for the others, and nothing else may wait behind it.
    this.#lanes = options.calls.wire.lanes();
  }

  held(): readonly number[] {
    return [...this.#owned].sort((a, b) => a - b);
  }

  async confirmed(): Promise<boolean> {
    return this.#memberId !== '' && (await this.#beat()) !== 'unknown';
  }

  async run(units: number, handler: AssignmentHandler, signal: AbortSignal): Promise<void> {
    const stopped = aborted(signal);
    const { logger, groupId } = this.#options;
    while (!signal.aborted) {
      let assigned: readonly number[] | undefined;
      try {
        assigned = await Promise.race([this.#join(units), stopped.then(() => undefined)]);
      } catch (error) {
        if (error instanceof LogError && error.code === 'closed') break;
        const standing = standingOf(error);
        if (standing === undefined) logger.warn('the group does not take us', { group: groupId, error: String(error) });
        if (standing !== 'rebalance') this.#lose(handler);
        await Promise.race([this.#options.calls.pause(RETRY_MS), stopped]);
        continue;
      }
      if (assigned === undefined) break;
      const mine = new Set(assigned);
      const revoked = this.held().filter((unit) => !mine.has(unit));
      for (const unit of mine) {
        if (this.#owned.has(unit)) continue;
        this.#owned.add(unit);
        handler.take(unit);
      }
      logger.info('units assigned', {
        group: groupId,
        units: this.held().length - revoked.length,
        generation: this.#generationId,
      });
      if (revoked.length > 0) await this.#revoke(revoked, handler);
      else if ((await this.#beatUntilRebalance(stopped, signal)) === 'unknown') this.#lose(handler);
    }
    await this.#revoke(this.held(), handler);
    await this.#leave();
  }

  async #join(units: number): Promise<number[]> {
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs } = this.#options;
    const joined = await this.#coordinator(this.#lanes, (broker) =>
      broker.joinGroup({
        groupId,
        sessionTimeout: sessionTimeoutMs,
        rebalanceTimeout: rebalanceTimeoutMs,
        memberId: this.#memberId,
        protocolType: 'edgetape',
        groupProtocols: [{ name: PROTOCOL, metadata: encodeUnits(this.held()) }],
      }),
    );
    this.#memberId = joined.memberId;
    this.#generationId = joined.generationId;
    const plan =
      joined.leaderId === joined.memberId
        ? planUnits(
            units,
            joined.members.map(({ memberId, memberMetadata }) => ({
              id: memberId,
              owned: decodeUnits(memberMetadata),
            })),
          )
        : new Map<string, number[]>();
    const { memberAssignment } = await this.#coordinator(this.#lanes, (broker) =>
      broker.syncGroup({
        groupId,
        generationId: joined.generationId,
        memberId: joined.memberId,
        groupAssignment: [...plan].map(([memberId, list]) => ({ memberId, memberAssignment: encodeUnits(list) })),
      }),
    );
    return decodeUnits(memberAssignment);
  }

  /** Drains the units, and stays in the group meanwhile. */
  async #revoke(units: readonly number[], handler: AssignmentHandler): Promise<void> {
    let draining = units.length > 0;
    const done = Promise.all(units.map((unit) => handler.revoke(unit))).finally(() => (draining = false));
    while (draining) {
      await Promise.race([done, this.#pauseBetweenBeats()]);
      if (draining) await Promise.race([done, this.#beat()]);
    }
    for (const unit of units) this.#owned.delete(unit);
  }

  async #beatUntilRebalance(stopped: Promise<void>, signal: AbortSignal): Promise<Standing> {
    for (;;) {
      await Promise.race([this.#pauseBetweenBeats(), stopped]);
      if (signal.aborted) return 'member';
      const standing = await Promise.race([this.#beat(), stopped.then(() => 'member' as const)]);
      if (standing !== 'member') return standing;
    }
  }

  #pauseBetweenBeats(): Promise<void> {
    return this.#options.calls.pause(Math.min(1_000, this.#options.sessionTimeoutMs / 5));
  }

  async #beat(): Promise<Standing> {
    const { groupId } = this.#options;
    const request = { groupId, groupGenerationId: this.#generationId, memberId: this.#memberId };
    try {
      await this.#coordinator(this.#lanes, (broker) => broker.heartbeat(request));
      return 'member';
    } catch (error) {
      const standing = standingOf(error);
      if (standing === undefined)
        this.#options.logger.warn('heartbeat failed', { group: groupId, error: String(error) });
      return standing ?? 'unknown';
    }
  }

  #lose(handler: AssignmentHandler): void {
    const lost = this.held();
    this.#owned.clear();
    this.#memberId = '';
    this.#generationId = -1;
    if (lost.length > 0)
      this.#options.logger.warn('units lost: the group has given this process up', {
        group: this.#options.groupId,
        units: lost.length,
      });
    for (const unit of lost) handler.lost(unit);
  }

  async #leave(): Promise<void> {
    const { groupId } = this.#options;
    const memberId = this.#memberId;
    this.#memberId = '';
    // A join may hold the connection.
    await this.#lanes.close();
    if (memberId === '') return;
    const lanes = this.#options.calls.wire.lanes();
    const leaving = this.#coordinator(lanes, (broker) => broker.leaveGroup({ groupId, memberId })).catch(
      () => undefined,
    );
    await Promise.race([leaving, this.#options.calls.pause(1_000)]);
    await lanes.close();
  }

  #coordinator<T>(lanes: Lanes, call: (broker: BrokerApi) => Promise<T>): Promise<T> {
    return this.#options.calls.coordinator(lanes, COORDINATOR.group, this.#options.groupId, call);
  }
}

function standingOf(error: unknown): Standing | undefined {
  const type = (error as { type?: unknown } | null)?.type;
  return typeof type === 'string' ? STANDING[type] : undefined;
}
