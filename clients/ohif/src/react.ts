import type * as React from 'react';

// The viewer's own React: a second copy could not use hooks inside its tree.
let host: typeof React | undefined;

interface WithLogo {
  whiteLabeling?: { createLogoComponentFn?: (react: typeof React, props: unknown) => unknown };
}

/**
 * Takes the viewer's React over. OHIF hands it to nobody but the function that draws its logo, so ours goes
 * around the configured one; without one, OHIF draws its own logo when this returns null.
 */
export function adoptReact(appConfig: WithLogo): void {
  const configured = appConfig.whiteLabeling?.createLogoComponentFn;
  appConfig.whiteLabeling = {
    ...appConfig.whiteLabeling,
    createLogoComponentFn: (react, props) => {
      host = react;
      return configured ? configured(react, props) : null;
    },
  };
}

/** The viewer's React. Throws before the viewer has drawn its header. */
export function react(): typeof React {
  if (!host) throw new Error('SpineFx: the viewer has not handed over its React (whiteLabeling)');
  return host;
}

/** What JSX becomes. */
export const h = ((...args: Parameters<typeof React.createElement>) =>
  react().createElement(...args)) as typeof React.createElement;
