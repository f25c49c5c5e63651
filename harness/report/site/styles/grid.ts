/** The grid, what stands above it, and its small relatives on other pages. */
export const GRID = `
.filters { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.2rem; margin: 0 0 .8rem; font-size: .9rem; }
.filters label { display: inline-flex; align-items: center; gap: .45rem; }
.filters .search input { width: 15rem; }
.filters input[type=search], .filters select { font: inherit; color: var(--ink); background: var(--raised); border: 1px solid var(--line-strong); border-radius: 6px; padding: .28rem .55rem; max-width: 100%; }
.filters button { font: inherit; color: var(--ink); background: var(--panel); border: 1px solid var(--line-strong); border-radius: 6px; padding: .28rem .8rem; cursor: pointer; }
.filters output { color: var(--soft); font-variant-numeric: tabular-nums; }
.loaders { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem; margin: 0 0 .8rem; font-size: .9rem; }
.loaders span { color: var(--soft); margin-right: .4rem; }
.loaders a { color: var(--ink); text-decoration: none; border: 1px solid var(--line-strong); border-radius: 6px; padding: .2rem .7rem; }
.loaders a[aria-current] { background: var(--ink); color: var(--page); border-color: var(--ink); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.15rem; list-style: none; padding: 0; margin: 0 0 .6rem; font-size: .82rem; color: var(--soft); }
.legend li { display: inline-flex; align-items: center; gap: .38rem; }
.legend b { color: var(--ink); font-weight: 600; }
.key { display: inline-grid; place-items: center; width: 1.35rem; height: 1.2rem; border: 1px solid; border-radius: 4px; font-size: .78rem; line-height: 1; font-weight: 400; }
.legend .eol { font-style: italic; font-weight: 400; }
.key.n { border-color: var(--line); }
.key.change { margin: 0; border-color: var(--line); }
.box { position: relative; overflow: auto; max-height: calc(100vh - 4.2rem); border: 1px solid var(--line); border-radius: 8px; width: fit-content; max-width: 100%; }
.grid { border-collapse: separate; border-spacing: 0; font-size: .86rem; font-variant-numeric: tabular-nums; }
.grid th, .grid td { padding: 0; border: 0 solid var(--line); border-bottom-width: 1px; }
.grid tbody:last-child tr:last-child > * { border-bottom-width: 0; }
.grid thead th, .grid .corner { position: sticky; top: 0; z-index: 2; background: var(--panel); border-bottom-color: var(--line-strong); font-weight: 600; }
.grid .corner { left: 0; z-index: 3; color: var(--soft); font-weight: 400; font-size: .8rem; padding: .4rem .8rem; text-align: left; vertical-align: bottom; border-right-width: 1px; white-space: nowrap; }
.grid thead a { display: block; min-width: 1.5rem; min-height: 1.5rem; color: var(--ink); text-decoration: none; padding: .45rem .3rem; text-align: center; white-space: nowrap; }
.grid thead [data-eol] a { color: var(--soft); font-weight: 400; font-style: italic; }
.grid thead a, .grid thead th > span { max-inline-size: 14rem; overflow: hidden; text-overflow: ellipsis; }
.grid tbody th > * { max-width: 30rem; overflow: hidden; text-overflow: ellipsis; }
.grid.turned thead th { vertical-align: bottom; }
.grid.turned thead a { writing-mode: vertical-rl; transform: rotate(180deg); padding: .3rem .1rem; margin: 0 auto; text-align: left; }
.grid tbody th { position: sticky; left: 0; z-index: 1; background: var(--page); text-align: left; font-weight: 400; border-right-width: 1px; }
.grid tbody th a { display: block; min-height: 1.5rem; font-family: var(--mono); font-size: .94em; color: var(--ink); text-decoration: none; padding: .2rem .9rem .2rem .8rem; white-space: nowrap; }
.grid .more a { color: var(--soft); }
.grid .more a b { color: var(--ink); }
.grid tbody th b { font-weight: 400; }
.grid tbody td { text-align: center; min-width: 1.75rem; border-left: 1px solid var(--page); border-bottom-color: var(--page); height: 1.75rem; white-space: nowrap; }
.grid.words tbody td { min-width: 4.8rem; }
.grid td > a { display: block; min-height: 1.5rem; color: inherit; text-decoration: none; padding: .22rem .3rem; }
.grid td b { font-weight: inherit; }
.grid td.F, .grid td.X, .grid td.P, .grid td.T { font-weight: 650; font-size: .92em; }
.grid td i { font-style: normal; font-weight: 650; font-size: .8em; }
.grid td[data-d] { box-shadow: inset 0 0 0 2px var(--ink); }
.grid td[data-d] > a { display: inline-block; padding: .22rem .1rem .22rem .3rem; }
.grid td[data-d] i { padding: 0 .3rem 0 .1rem; }
.grid td s { text-decoration: none; }
.grid.words td s { display: none; }
.grid:not(.words) td b, .grid td i b { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.grid:not(.words) td > a { padding: .22rem 0; }
.grid tbody a:hover { text-decoration: underline; }
.grid thead a:hover { text-decoration: underline; }
.grid tbody tr:hover th { background: var(--panel); }
.grid td:hover { box-shadow: inset 0 0 0 2px var(--line-strong); }
/* Two colours, one of which stands out on any verdict's (WCAG 2.2, 1.4.11). */
.grid a:focus-visible, .grid td:focus-visible { outline: 2px solid var(--ink); outline-offset: -2px; box-shadow: inset 0 0 0 4px var(--page); }
@media (max-width: 40rem), print {
  .grid.words tbody td { min-width: 2rem; }
  .grid.words td s { display: inline; }
  .grid td[data-d] > a, .grid td > a { display: block; padding: .22rem 0; }
  .grid td[data-d] { line-height: 1.1; }
  .grid td[data-d] i { display: block; padding: 0 0 .15rem; }
  .grid.words td b { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
}
@media (max-width: 40rem) {
  .legend li > span:last-child:not(.key) { display: none; }
  .grid tbody th a { white-space: normal; overflow-wrap: anywhere; width: 9.6rem; padding: .2rem .5rem; line-height: 1.25; }
  .grid .corner { padding: .3rem .5rem; white-space: normal; }
  .filters { gap: .35rem .9rem; margin-bottom: .6rem; }
  .filters .search, .filters .search input { width: 100%; }
  .filters select { max-width: 11rem; }
  .grid-of { display: flex; flex-direction: column; }
  .grid-of .legend { order: 1; margin: .7rem 0 0; }
}
`;
