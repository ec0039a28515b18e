/** A log whose process dies at one of its commits, before or after it took place, for tests of what stands on it. */
import type { Log, LogTransaction } from '../../core/log/log.ts';

export class Killed extends Error {
  constructor(commit: number) {
    super(`killed at commit ${commit}`);
    this.name = 'Killed';
  }
}

/**
 * @param commit which commit, from 1
 * @param when `before`: nothing of it is kept; `after`: all of it is kept and nobody is told
 */
export function dyingLog(log: Log, commit: number, when: 'before' | 'after'): Log {
  let commits = 0;
  const transaction = async (id: string): Promise<LogTransaction> => {
    const inner = await log.transaction(id);
    return {
      append: (...args) => inner.append(...args),
      commitOffset: (...args) => inner.commitOffset(...args),
      putState: (...args) => inner.putState(...args),
      abort: () => inner.abort(),
      commit: async () => {
        commits++;
        if (commits < commit) return inner.commit();
        if (commits === commit && when === 'after') await inner.commit();
        else inner.abort();
        throw new Killed(commits);
      },
    };
  };
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'transaction') return transaction;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
