/** The dashboard begins here. */
import { render } from 'hono/jsx/dom';
import './style.css';

const root = document.getElementById('root');
if (root) render(<p>hello</p>, root);
