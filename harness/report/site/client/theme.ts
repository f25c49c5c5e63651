type Theme = 'light' | 'dark';

/** The theme that was chosen on an earlier visit; null if none was, or if the browser keeps nothing for this page. */
function rememberedTheme(): Theme | null {
  try {
    const theme = localStorage.getItem('ksym-matrix-theme');
    return theme === 'light' || theme === 'dark' ? theme : null;
  } catch {
    return null;
  }
}

function rememberTheme(theme: Theme): void {
  try {
    localStorage.setItem('ksym-matrix-theme', theme);
  } catch {
    // Then it holds for this page.
  }
}

function applyTheme(theme: Theme | null): void {
  if (theme !== null) document.documentElement.dataset.theme = theme;
}

function shownTheme(): Theme {
  const { theme } = document.documentElement.dataset;
  if (theme === 'light' || theme === 'dark') return theme;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

/** The button says what it leads to, and follows the system for as long as nothing was chosen. */
function startThemeButton(): void {
  const button = document.getElementById('theme');
  if (button === null) return;
  const label = (): void => {
    button.textContent = shownTheme() === 'dark' ? 'Light theme' : 'Dark theme';
  };
  button.addEventListener('click', () => {
    const theme = shownTheme() === 'dark' ? 'light' : 'dark';
    applyTheme(theme);
    rememberTheme(theme);
    label();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', label);
  label();
  button.hidden = false;
}
