import type { Session } from './session';

/** Commands for toolbar buttons, hotkeys and other extensions. */
export function commands(session: () => Session, panelId: string) {
  const openPanel = () => session().viewer.openPanel(panelId);
  const run = async () => {
    openPanel();
    await session().start();
  };
  return {
    'spinefx.openPanel': { commandFn: openPanel },
    'spinefx.run': { commandFn: run },
    'spinefx.cancel': { commandFn: () => session().run.cancel() },
  };
}
