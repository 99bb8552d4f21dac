import type { FormEvent } from 'react';
import { absolute } from '../config';
import { h, react } from '../react';
import type { ServerState } from '../server';
import type { Session } from '../session';

/** Where the server is, and whether it answers. */
export function ServerForm({ session, state }: { session: Session; state: ServerState }) {
  const [typed, setTyped] = react().useState(state.address);
  const [wrong, setWrong] = react().useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    try {
      const address = absolute(typed);
      setWrong('');
      void session.connect(address);
    } catch {
      setWrong('This is no web address. Write one like https://host:port or /path.');
    }
  };
  return (
    <div>
      {state.kind === 'connecting' && <p role="status">Looking for the server at {state.address}</p>}
      {state.kind === 'absent' && (
        <div className="spinefx-error" role="alert" data-cy="spinefx-absent">
          <p>No server at {state.address}.</p>
          <p>{state.failure.message}</p>
          <button type="button" data-cy="spinefx-retry" onClick={() => void session.connect()}>
            Retry
          </button>
        </div>
      )}
      <details open={state.kind === 'absent'}>
        <summary>Server</summary>
        <form onSubmit={submit}>
          <label htmlFor="spinefx-server">Address</label>
          <input
            id="spinefx-server"
            type="text"
            inputMode="url"
            autoComplete="off"
            spellCheck={false}
            value={typed}
            aria-invalid={wrong !== ''}
            aria-describedby="spinefx-server-wrong"
            onChange={(event) => setTyped(event.target.value)}
          />
          <p id="spinefx-server-wrong" className="spinefx-wrong">
            {wrong}
          </p>
          <button type="submit">Connect</button>
        </form>
        {state.kind === 'ready' && (
          <p className="spinefx-quiet">
            {state.manifest.id} {state.manifest.version}, {state.manifest.vendor}
          </p>
        )}
      </details>
    </div>
  );
}
