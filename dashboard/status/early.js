// Before anything is painted: theme and language. A stored choice wins, else the browser's.
(() => {
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const paint = () => { root.dataset.theme = localStorage.getItem('enlace-theme') || (dark.matches ? 'dark' : 'light'); };
  dark.addEventListener('change', paint);
  paint();
  const known = navigator.languages.map((tag) => tag.slice(0, 2)).find((lang) => lang === 'es' || lang === 'en');
  root.lang = localStorage.getItem('enlace-lang') || known || 'en';
})();
