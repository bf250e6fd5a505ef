/** The dashboard begins here. */
import { render } from 'hono/jsx/dom';
import { App } from './app.tsx';
import './style/base.css';
import './style/frame.css';
import './style/figures.css';
import './style/states.css';
import './style/phone.css';
import { applyTheme } from './theme.ts';

applyTheme();
const root = document.getElementById('root');
if (root) render(<App />, root);
