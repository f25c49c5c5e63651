/*
 * The site's script: every file of this folder, one after the other in the order of their names, is assets/site.js. They are classic scripts, not
 * modules, because browsers load no modules from disk. All but this one hold nothing but functions, so their order does not matter.
 *
 * What it asks of the pages, beside what grid-page.ts says:
 *   <script src="assets/site.js"> in the head, without `defer`: a chosen theme must be there before anything is painted.
 *   <button type="button" id="theme" hidden></button> on every page: shown and named by the script. The choice is <html data-theme="light|dark">, and
 *     goes before prefers-color-scheme.
 *   <html class="scripted"> is set by the script.
 * Nothing is loaded, and nothing but a chosen theme is kept. Text that the pages hold is only ever read, compared and set as text.
 */
document.documentElement.classList.add('scripted');
applyTheme(rememberedTheme());
document.addEventListener('DOMContentLoaded', () => {
  startThemeButton();
  startCopyButtons();
  startListedCells();
  startTargets();
  startGrid();
});
