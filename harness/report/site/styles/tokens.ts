const DARK = `--page: #0f1216; --panel: #171b21; --raised: #171b21; --line: #2c333d; --line-strong: #4a5462;
--ink: #e4e8ee; --soft: #a0a9b6; --link: #7db4ff; --focus: #7db4ff;
--p: #14291b; --p-ink: #7fd596; --p-line: #23482f;
--x: #182338; --x-ink: #a4c1ee; --x-line: #2b3f62;
--F: #d93b3b; --F-ink: #fff; --F-line: #f06a6a; --F-text: #ff8f8a;
--Y: #5c4500; --Y-ink: #ffe08a; --Y-line: #8f6f10;
--I: #372a5c; --I-ink: #d3c3ff; --I-line: #5d4a94;
--n-ink: #929cab; --hit: #3a3110; --hit-line: #b8901c; --good-text: #7fd596; --mark: #3a3110;`;

/**
 * Colours, in light and in dark, and what every page is set in. Text has a contrast of at least 4.5 to 1 on whatever it stands on (WCAG 2.2, 1.4.3).
 * Each verdict has the same three: `--x` behind a word, `--x-ink` for the word, `--x-line` around it.
 */
export const TOKENS = `
:root {
  color-scheme: light dark;
  --page: #fff; --panel: #f6f7f9; --raised: #fff; --line: #d8dce2; --line-strong: #b4bbc5;
  --ink: #1b1f24; --soft: #545d68; --link: #0a58ca; --focus: #0a58ca;
  --p: #e9f5ec; --p-ink: #14602d; --p-line: #b7dcc1;
  --x: #eaf0f9; --x-ink: #2c4a75; --x-line: #c3d2e8;
  --F: #c62828; --F-ink: #fff; --F-line: #c62828; --F-text: #b3201f;
  --Y: #fcd66f; --Y-ink: #4d3800; --Y-line: #d9a81c;
  --I: #e3dcf3; --I-ink: #4d2f8a; --I-line: #b9a6e0;
  --n-ink: #646c77; --hit: #fff4cc; --hit-line: #d9a81c; --good-text: #14602d; --mark: #fff4cc;
  --mono: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif;
}
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {
${DARK}
} }
:root[data-theme=dark] {
${DARK}
color-scheme: dark; }
:root[data-theme=light] { color-scheme: light; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 4rem; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 var(--sans); overflow-wrap: break-word; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: .16em; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; border-radius: 2px; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; text-wrap: balance; }
h1 { font-size: 1.6rem; font-weight: 650; letter-spacing: -.012em; }
h2 { font-size: 1.12rem; font-weight: 650; margin: 2.4rem 0 .7rem; }
h3 { font-size: .98rem; font-weight: 650; }
p { margin: .5rem 0; max-width: 76ch; }
code, pre, kbd, .mono { font-family: var(--mono); font-size: .89em; font-variant-ligatures: none; }
pre { margin: 0; overflow: auto; tab-size: 8; line-height: 1.5; }
ul, ol { padding-left: 1.3rem; margin: .5rem 0; }
b { font-weight: 650; }
.wide { max-width: 96rem; margin: 0 auto; padding: 0 1.5rem; }
.soft, .dot { color: var(--soft); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip { position: absolute; left: -99rem; top: 0; z-index: 9; background: var(--ink); color: var(--page); padding: .5rem 1rem; }
.skip:focus { left: 0; }
[hidden] { display: none !important; }
`;
