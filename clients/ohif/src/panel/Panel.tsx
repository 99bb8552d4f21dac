import type { KeyboardEvent } from 'react';
import { h } from '../react';
import type { Session } from '../session';
import { Controls } from './Controls';
import { useStore } from './hooks';
import style from './panel.css';
import { ServerForm } from './ServerForm';
import { Status } from './Status';

/** The viewer takes Enter and Space for itself, even where a button has the focus. */
function keepPressing(event: KeyboardEvent) {
  if (event.key === 'Enter' || event.key === ' ') event.stopPropagation();
}

/** The panel. Its states are those of the session's stores: it can be closed and opened at any time. */
export function Panel({ session }: { session: Session }) {
  const server = useStore(session.server.state);
  const manifest = server.kind === 'ready' ? server.manifest : undefined;
  return (
    <section className="spinefx" data-cy="spinefx-panel" aria-label="SpineFx" onKeyDown={keepPressing}>
      <style>{style}</style>
      <h2>{manifest?.name ?? 'SpineFx'}</h2>
      {manifest && (
        <p className="spinefx-notice" data-cy="spinefx-notice">
          {manifest.intendedUse}
        </p>
      )}
      {manifest && <Controls session={session} manifest={manifest} />}
      <Status session={session} />
      <ServerForm session={session} state={server} />
    </section>
  );
}
