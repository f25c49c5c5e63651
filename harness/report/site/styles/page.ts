/** The frame around every page, the head of a run, badges, tables and lists. */
export const PAGE = `
.bar { border-bottom: 1px solid var(--line); background: var(--panel); }
.bar .wide { display: flex; flex-wrap: wrap; align-items: center; gap: 0 2rem; min-height: 3.1rem; }
.brand { display: inline-flex; align-items: center; gap: .55rem; color: var(--ink); font-weight: 650; text-decoration: none; padding: .5rem 0; min-width: 0; overflow-wrap: anywhere; }
.brand svg { color: var(--good-text); flex: none; }
.bar nav { display: flex; gap: .15rem; margin-left: auto; }
.bar nav a { padding: .4rem .7rem; border-radius: 6px; color: var(--soft); text-decoration: none; white-space: nowrap; }
.bar nav a:hover { color: var(--ink); background: var(--line); }
.bar nav a[aria-current] { color: var(--ink); font-weight: 600; box-shadow: inset 0 -2px var(--good-text); border-radius: 0; }
#theme { font: inherit; font-size: .84rem; color: var(--soft); background: none; border: 1px solid var(--line-strong); border-radius: 6px; padding: .2rem .6rem; cursor: pointer; margin-left: -1rem; white-space: nowrap; }
#theme:hover { color: var(--ink); }
.count { font-size: .78rem; font-variant-numeric: tabular-nums; background: var(--line); color: var(--ink); border-radius: 9px; padding: .05rem .42rem; }
main { padding-top: 1.6rem !important; padding-bottom: 3rem !important; }
footer { border-top: 1px solid var(--line); color: var(--soft); font-size: .87rem; padding: 1rem 0 2rem; }
footer p { margin: .15rem 0; max-width: none; }
.crumbs { font-size: .87rem; color: var(--soft); margin: 0 0 .5rem; max-width: none; }
time, .list .change { white-space: nowrap; }
.lead { font-size: 1.08rem; color: var(--soft); margin: .35rem 0 0; }
.strip { margin-bottom: 1.3rem; }
.about-run { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.4rem; margin: .7rem 0 0; color: var(--soft); font-size: .87rem; }
.about-run p { margin: 0; }
.about-run details { margin: 0; min-width: 0; }
.about-run summary { font-size: 1em; }
.about-run details[open] { flex-basis: 100%; }
.facts { display: flex; flex-wrap: wrap; gap: .1rem 1.5rem; margin: .3rem 0 0; color: var(--ink); font-size: .96em; }
.facts div { display: flex; gap: .5rem; min-width: 0; }
.facts dt { color: var(--soft); white-space: nowrap; }
.facts dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.totals { display: flex; flex-wrap: wrap; gap: .4rem; list-style: none; padding: 0; margin: .8rem 0 0; }
.delta { margin: .8rem 0 0; font-size: .92rem; }
.warning { border: 1px solid var(--hit-line); background: var(--hit); border-radius: 6px; padding: .5rem .8rem; max-width: none; margin: .8rem 0 0; }
.badge { display: inline-block; border: 1px solid; border-radius: 5px; padding: .06rem .5rem; font-size: .87rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.p { background: var(--p); color: var(--p-ink); border-color: var(--p-line); }
.x { background: var(--x); color: var(--x-ink); border-color: var(--x-line); }
.F, .X, .P, .T { background: var(--F); color: var(--F-ink); border-color: var(--F-line); }
.Y { background: var(--Y); color: var(--Y-ink); border-color: var(--Y-line); }
.I { background: var(--I); color: var(--I-ink); border-color: var(--I-line); }
.n { color: var(--n-ink); }
.change { font-weight: 650; white-space: nowrap; margin-right: .3rem; }
.regressed, .vanished { color: var(--F-text); }
.fixed { color: var(--good-text); }
.empty { color: var(--soft); border: 1px dashed var(--line-strong); border-radius: 8px; padding: 1rem 1.2rem; max-width: none; }
.scroll { position: relative; overflow-x: auto; }
table.list { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
table.list th, table.list td { text-align: left; vertical-align: top; padding: .32rem 1.1rem .32rem 0; border-bottom: 1px solid var(--line); }
table.list thead th { color: var(--soft); font-weight: 500; font-size: .82rem; white-space: nowrap; }
table.list tbody th { font-weight: 500; }
table.list th code { white-space: nowrap; }
table.list td.wrap { overflow-wrap: anywhere; min-width: 12rem; }
table.list tr:last-child > * { border-bottom: 0; }
.copy { font: inherit; font-size: .82rem; color: var(--ink); background: var(--raised); border: 1px solid var(--line-strong); border-radius: 5px; padding: .15rem .55rem; cursor: pointer; }
.copy:hover { border-color: var(--soft); }
@media (max-width: 40rem) {
  body { font-size: 14.5px; }
  .wide { padding: 0 .9rem; }
  .bar nav { order: 3; margin: 0 -.6rem; width: calc(100% + 1.2rem); overflow-x: auto; }
  .brand { flex: 1; }
  #theme { margin: 0; }
  .bar nav a { padding: .4rem .6rem; }
  h1 { font-size: 1.35rem; }
  .facts { gap: .1rem 1.1rem; }
  main { padding-top: 1.1rem !important; }
  .strip { margin-bottom: .9rem; }
  .totals { gap: .3rem; margin-top: .6rem; }
  .delta, .about-run { margin-top: .5rem; }
  .badge { padding: 0 .4rem; }
  .list .totals { flex-wrap: nowrap; }
  .scroll > table.list { min-width: 36rem; }
}
`;
