import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { openSession, SessionProvider } from './data/session.ts';
import { followTheme } from './data/ui-state.ts';
import './styles/tokens.css';
import './styles/layout.css';
import './styles/panels.css';
import './styles/detail.css';

followTheme();
const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');
const session = openSession();
addEventListener('pagehide', (event) => {
  if (!event.persisted) session.client.close();
});
createRoot(root).render(
  <SessionProvider value={session}>
    <App />
  </SessionProvider>,
);
