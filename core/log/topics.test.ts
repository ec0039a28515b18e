import { describe, expect, it } from 'vitest';
import { TOPICS } from '#shared/topics.ts';
import { DEFAULT_TOPICS, stateTopic, topicConfig, topicSpecs } from './topics.ts';

describe('topics as code', () => {
  const specs = topicSpecs();
  const config = (name: string): Record<string, string> => {
    const spec = specs.find((candidate) => candidate.name === name);
    if (spec === undefined) throw new Error(`no spec of ${name}`);
    return topicConfig(spec, spec.replicas ?? 1);
  };

  it('LG-2 names every topic once', () => {
    const names = specs.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of Object.values(TOPICS)) expect(names).toContain(name);
    expect(names).toContain('aggregates-1m');
    expect(names).toContain('aggregates-1d');
  });

  it('LG-2 keeps raw ticks for a day, what is computed for seven, and the last values for good', () => {
    expect(config('trades')).toMatchObject({ 'retention.ms': '86400000', 'cleanup.policy': 'delete' });
    expect(config('aggregates-5m')).toMatchObject({ 'retention.ms': '604800000', 'cleanup.policy': 'delete' });
    expect(config('statistics')).toMatchObject({ 'retention.ms': '-1', 'cleanup.policy': 'compact' });
    expect(topicConfig(stateTopic(16), 1)).toMatchObject({ 'cleanup.policy': 'compact', 'min.insync.replicas': '1' });
  });

  it('LG-2 has 100, 50 and 50 partitions, or as many as configured, in three copies of which two are in step', () => {
    const count = (name: string, list = specs): number | undefined =>
      list.find((spec) => spec.name === name)?.partitions;
    expect([count('trades'), count('quotes'), count('aggregates-1m')]).toEqual([100, 50, 50]);
    expect(config('trades')['min.insync.replicas']).toBe('2');
    const small = topicSpecs({ ...DEFAULT_TOPICS, tradesPartitions: 2, replicas: 1 });
    expect(count('trades', small)).toBe(2);
    expect(small.every(({ replicas }) => replicas === 1)).toBe(true);
  });
});
