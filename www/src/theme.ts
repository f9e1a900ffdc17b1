// Runs before the first paint, so that a chosen theme does not flash the other one.
export type Theme = 'auto' | 'light' | 'dark';

const KEY = 'larder-theme';

export function themeRead(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'auto';
  } catch {
    return 'auto'; // storage may be forbidden
  }
}

export function themeApply(theme: Theme): void {
  if (theme === 'auto') {
    document.documentElement.removeAttribute('data-theme');
  } else {
    document.documentElement.setAttribute('data-theme', theme);
  }
}

export function themeKeep(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // not kept, still applied
  }
  themeApply(theme);
}

themeApply(themeRead());
