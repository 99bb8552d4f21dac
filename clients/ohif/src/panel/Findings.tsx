import type { Finding, Result } from '../gen/segplugin/v1/segmentation_plugin_pb';
import { h, react } from '../react';
import type { Order } from '../run';
import type { Session } from '../session';
import { placeText, probabilityText, volumeText } from './words';

interface Props {
  session: Session;
  order: Order;
  result: Result;
}

/** The findings, each a button that leads there, and what the server noted. */
export function Findings({ session, order, result }: Props) {
  const [current, setCurrent] = react().useState<number | undefined>(undefined);
  const [away, setAway] = react().useState(false);
  const go = (finding: Finding) => {
    setAway(!session.jump(order, result, finding));
    setCurrent(finding.id);
  };
  return (
    <div>
      {result.findings.length > 0 && (
        <ul
          className="spinefx-findings"
          aria-label={`Findings in ${order.series.description || 'the series'}`}
        >
          {result.findings.map((finding) => (
            <li key={finding.id}>
              <button
                type="button"
                data-cy="spinefx-finding"
                aria-current={current === finding.id}
                onClick={() => go(finding)}
              >
                <span className="spinefx-number">{finding.id}</span>
                <span>{placeText(finding, session.sliceNumber(order, result, finding))}</span>
                <span>{volumeText(finding)}</span>
                <span title="Mean probability of its voxels">{probabilityText(finding)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {away && <p className="spinefx-quiet">No viewport shows this series. Open it to go there.</p>}
      {result.notes.map((note) => (
        <p key={note} className="spinefx-quiet" data-cy="spinefx-note">
          {note}
        </p>
      ))}
      <p className="spinefx-quiet">Model {result.model}</p>
    </div>
  );
}
