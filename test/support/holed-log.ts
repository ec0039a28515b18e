/** A log whose offsets have holes, as on Kafka, where each transaction leaves a marker behind it: record n stands at offset 2n. */
import type { Log } from '../../core/log/log.ts';

export function holedLog(log: Log): Log {
  const rank = (offset: number): number => Math.ceil(offset / 2);
  return {
    ensureTopics: (topics) => log.ensureTopics(topics),
    topics: () => log.topics(),
    fence: (id) => log.fence(id),
    transaction: (id) => log.transaction(id),
    async read(topic, partition, fromOffset, options) {
      const records = await log.read(topic, partition, rank(fromOffset), options);
      return records.map((record) => ({ ...record, offset: 2 * record.offset }));
    },
    async bounds(topic, partition) {
      const { start, end } = await log.bounds(topic, partition);
      return { start: 2 * start, end: Math.max(2 * start, 2 * end - 1) };
    },
    committed: (group, topic, partition) => log.committed(group, topic, partition),
    getState: (store, key) => log.getState(store, key),
    listState: (store) => log.listState(store),
    wait: (topic, partition, offset, signal) => log.wait(topic, partition, rank(offset), signal),
    truncate: (topic, partition, beforeOffset) => log.truncate(topic, partition, rank(beforeOffset)),
    close: () => log.close(),
  };
}
