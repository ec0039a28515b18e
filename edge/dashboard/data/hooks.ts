/** How components meet live data: values are written to the page by subscription, React renders what is cold. */
import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import type { ClientStatus } from '../../client/client.ts';
import type { TopicSnapshot } from '../../client/topic.ts';
import { useSession } from './session.ts';

/** Keeps topics subscribed while the component is on the page. `topics`: `channel channel|symbol symbol`. */
export function useWatch(channels: readonly string[], symbols: readonly string[]): void {
  const { watcher } = useSession();
  const channelKey = channels.join(' ');
  const symbolKey = symbols.join(' ');
  useEffect(() => {
    if (channelKey === '' || symbolKey === '') return undefined;
    return watcher.watch(channelKey.split(' '), symbolKey.split(' '));
  }, [watcher, channelKey, symbolKey]);
}

/** Calls `write` with the topic's values now and after every change, outside React's rendering. */
export function useHot(channel: string, symbol: string, write: (snapshot: TopicSnapshot) => void): void {
  const { client } = useSession();
  const onChange = useEffectEvent(write);
  useEffect(() => {
    const topic = client.topic(channel, symbol);
    onChange(topic.getSnapshot());
    return topic.subscribe(() => onChange(topic.getSnapshot()));
  }, [client, channel, symbol]);
}

/** The topic as React state: for what changes seldom. */
export function useTopic(channel: string, symbol: string): TopicSnapshot {
  const { client } = useSession();
  const topic = client.topic(channel, symbol);
  return useSyncExternalStore(topic.subscribe, topic.getSnapshot);
}

export function useStatus(): ClientStatus {
  const { client } = useSession();
  return useSyncExternalStore(client.subscribeStatus, client.status);
}

/** Calls `beat` four times a second with the time in ms. */
export function usePulse(beat: (nowMs: number) => void): void {
  const { pulse } = useSession();
  const onBeat = useEffectEvent(beat);
  useEffect(() => pulse.add((nowMs) => onBeat(nowMs)), [pulse]);
}
