/** Dark or light: as the system has it, unless the reader has chosen. The choice stays in this browser. */

export type Theme = 'auto' | 'light' | 'dark';

const KEY = 'sluice-theme';

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === 'light' || kept === 'dark' ? kept : 'auto';
}

export function applyTheme(chosen: Theme = theme()): void {
  localStorage.setItem(KEY, chosen);
  document.documentElement.style.colorScheme = chosen === 'auto' ? 'light dark' : chosen;
  dispatchEvent(new Event('themechange')); // what is drawn on a canvas has no stylesheet
}
