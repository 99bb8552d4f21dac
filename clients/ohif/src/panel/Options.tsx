import type { Manifest, Model } from '../gen/segplugin/v1/segmentation_plugin_pb';
import { h, react } from '../react';
import type { Choices } from '../session';

interface Props {
  manifest: Manifest;
  initial: Choices;
  /** Called with every change, and whether the values can be sent. */
  onChange(choices: Choices, valid: boolean): void;
}

const WRONG = 'The threshold is a number above 0 and at most 1, or empty.';

/** Model, threshold and tolerance. The server's manifest says which models there are. */
export function Options({ manifest, initial, onChange }: Props) {
  const [choices, setChoices] = react().useState(initial);
  const [typed, setTyped] = react().useState(initial.threshold?.toString() ?? '');
  const model = manifest.models.find((m) => m.name === choices.model) ?? defaultModel(manifest);
  const wrong = typed !== '' && thresholdOf(typed) === undefined;
  const change = (next: Partial<Choices>, text = typed) => {
    const whole = { ...choices, ...next };
    setChoices(whole);
    setTyped(text);
    onChange(whole, text === '' || thresholdOf(text) !== undefined);
  };
  return (
    <details>
      <summary>Options</summary>
      <label htmlFor="spinefx-model">Model</label>
      <select
        id="spinefx-model"
        value={model?.name ?? ''}
        aria-describedby="spinefx-model-text"
        onChange={(event) => change({ model: event.target.value })}
      >
        {manifest.models.map(({ name, version }) => (
          <option key={name} value={name}>
            {name} {version}
          </option>
        ))}
      </select>
      <p id="spinefx-model-text" className="spinefx-quiet">
        {model?.description ?? ''}
      </p>
      <label htmlFor="spinefx-threshold">Threshold</label>
      <input
        id="spinefx-threshold"
        type="text"
        inputMode="decimal"
        autoComplete="off"
        placeholder="the model's own"
        value={typed}
        aria-invalid={wrong}
        aria-describedby="spinefx-threshold-wrong"
        onChange={(event) =>
          change({ threshold: thresholdOf(event.target.value) }, event.target.value.trim())
        }
      />
      <p id="spinefx-threshold-wrong" className="spinefx-wrong" role="alert">
        {wrong ? WRONG : ''}
      </p>
      <label className="spinefx-check">
        <input
          type="checkbox"
          checked={choices.resampleUneven}
          onChange={(event) => change({ resampleUneven: event.target.checked })}
        />
        Accept uneven slice spacing and gantry tilt
      </label>
    </details>
  );
}

/** A probability, or undefined where the text is none. */
function thresholdOf(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text.replace(',', '.'));
  return value > 0 && value <= 1 ? value : undefined;
}

function defaultModel(manifest: Manifest): Model | undefined {
  return manifest.models.find((model) => model.default) ?? manifest.models[0];
}
