import { react } from '../react';
import type { Session } from '../session';
import type { Store } from '../store';
import type { ActiveSeries } from '../viewer';

/** The value of a store; draws anew when it changes. */
export function useStore<T>(store: Store<T>): T {
  return react().useSyncExternalStore(store.subscribe, store.get);
}

/** The series of the active viewport. */
export function useActiveSeries(session: Session): ActiveSeries | undefined {
  const [series, setSeries] = react().useState(() => session.viewer.activeSeries());
  react().useEffect(() => {
    const read = () => setSeries(session.viewer.activeSeries());
    read();
    return session.viewer.watchActiveSeries(read);
  }, [session]);
  return series;
}

/** Whole seconds since `startedAt` (performance.now), counting on. */
export function useElapsed(startedAt: number): number {
  const elapsed = () => Math.floor((performance.now() - startedAt) / 1000);
  const [seconds, setSeconds] = react().useState(elapsed);
  react().useEffect(() => {
    const timer = setInterval(() => setSeconds(elapsed()), 250);
    return () => clearInterval(timer);
  }, [startedAt]);
  return seconds;
}
