import type { FormEvent } from 'react';
import type { Manifest } from '../gen/segplugin/v1/segmentation_plugin_pb';
import { h, react } from '../react';
import type { Choices, Session } from '../session';
import { useActiveSeries, useStore } from './hooks';
import { Options } from './Options';

/** What to segment, how, and the buttons. */
export function Controls({ session, manifest }: { session: Session; manifest: Manifest }) {
  const series = useActiveSeries(session);
  const { kind } = useStore(session.run.state);
  const [valid, setValid] = react().useState(true);
  const busy = kind === 'queued' || kind === 'running';
  const obstacle = session.obstacle(series);
  const refused = busy || obstacle !== undefined || !valid;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!refused) void session.start();
  };
  const change = (choices: Choices, isValid: boolean) => {
    session.choices = choices;
    setValid(isValid);
  };
  return (
    <form onSubmit={submit}>
      <p className="spinefx-series" data-cy="spinefx-series">
        {series ? `${series.modality}: ${series.description || 'series without a description'}` : 'No series'}
      </p>
      <Options manifest={manifest} initial={session.choices} onChange={change} />
      {/* aria-disabled, not disabled: the buttons keep the focus, and their reason can be heard. */}
      <div className="spinefx-buttons">
        <button
          type="submit"
          className="spinefx-primary"
          data-cy="spinefx-run"
          aria-disabled={refused}
          aria-describedby="spinefx-obstacle"
        >
          Run
        </button>
        <button
          type="button"
          data-cy="spinefx-cancel"
          aria-disabled={!busy}
          onClick={() => session.run.cancel()}
        >
          Cancel
        </button>
      </div>
      <p id="spinefx-obstacle" className="spinefx-obstacle" data-cy="spinefx-obstacle">
        {obstacle ?? ''}
      </p>
    </form>
  );
}
