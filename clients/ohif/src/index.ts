import { commands } from './commands';
import type { Context } from './ohif';
import { Panel } from './panel/Panel';
import { adoptReact, h } from './react';
import { Session } from './session';

const ID = '@spinefx/ohif';
const PANEL = 'spinefx';

let opened: Session | undefined;

function session(): Session {
  if (!opened) throw new Error('SpineFx: the extension was not registered');
  return opened;
}

export default {
  id: ID,

  preRegistration(context: Context): void {
    adoptReact(context.appConfig ?? {});
    opened = new Session(context);
  },

  onModeEnter(): void {
    void session().server.connect();
  },

  onModeExit(): void {
    session().leave();
  },

  getPanelModule() {
    const component = () => h(Panel, { session: session() });
    return [
      { name: PANEL, iconName: 'tab-roi-threshold', iconLabel: 'SpineFx', label: 'SpineFx', component },
    ];
  },

  getCommandsModule() {
    const definitions = commands(session, `${ID}.panelModule.${PANEL}`);
    return { definitions, defaultContext: 'DEFAULT' };
  },
};
