/** Pages of programs and kernels: answers, logs, sources, facts. */
export const PROGRAM = `
h1.mono { font-family: var(--mono); font-size: 1.45rem; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 .soft, h3 .soft { font-weight: 400; font-size: .88rem; margin-left: .4rem; }
.turn { float: right; display: inline-flex; gap: 1rem; max-width: 100%; }
.turn a { min-width: 0; overflow-wrap: anywhere; }
.grid.small thead th.told > span { text-align: left; }
.grid.small tbody th > span, .grid.small thead th > span { display: block; font-size: .94em; padding: .2rem .9rem .2rem .8rem; white-space: nowrap; }
.grid.small tbody th > span { font-family: var(--mono); }
.grid.small.turned thead th > span { writing-mode: vertical-rl; transform: rotate(180deg); padding: .4rem .1rem; margin: 0 auto; }
.grid.small thead th b { font-weight: 400; }
.grid.small + .scroll { margin-top: 1rem; }
.grid td.told, .grid th.told > span { text-align: left; }
.grid.words tbody td.told { padding: .2rem .9rem; white-space: normal; min-width: min(24rem, 60vw); max-width: 60rem; color: var(--soft); overflow-wrap: anywhere; }
.grid td.told code { color: var(--ink); margin-right: .4rem; }
.box + .scroll { margin-top: 1.1rem; }
.scroll.tall { margin-top: 1rem; }
.list .totals { margin: 0; gap: .25rem; }
.list .badge { font-size: .94em; }
.ranges { display: flex; flex-wrap: wrap; gap: .3rem; list-style: none; padding: 0; margin: 0; }
.ranges li { border: 1px solid var(--line); border-radius: 5px; padding: .04rem .5rem; font-size: .94em; }
.ranges .p { border-color: var(--p-line); } .ranges .x { border-color: var(--x-line); }
.beside { display: grid; gap: 0 2rem; align-items: start; }
.beside > * { min-width: 0; }
@media (min-width: 80rem) {
  .beside { grid-template-columns: minmax(0, 1.35fr) minmax(0, 1fr); }
  .beside > .source { position: sticky; top: 0; }
  .beside > .source .listing { max-height: calc(100vh - 9rem); }
}
.answer { border: 1px solid var(--line); border-radius: 8px; background: var(--raised); padding: .9rem 1.1rem; margin: 0 0 .9rem; min-width: 0; }
.answer.red { border-left: 4px solid var(--F-line); }
.answer:has(:target) { border-color: var(--focus); box-shadow: 0 0 0 1px var(--focus); }
.answer h3 { display: flex; flex-wrap: wrap; gap: .3rem .7rem; align-items: baseline; font-size: 1rem; }
.answer h3 span:last-child { flex: 1 1 18rem; overflow-wrap: anywhere; min-width: 0; }
.answer > section, .answer > div { min-width: 0; }
.answer h4 { font-size: .9rem; font-weight: 650; margin: .9rem 0 .3rem; }
.cells { display: flex; flex-wrap: wrap; gap: .2rem .6rem; margin: .55rem 0; font-size: .87rem; }
.cells ul { display: flex; flex-wrap: wrap; gap: .25rem; list-style: none; padding: 0; margin: 0; }
.cells > *, .cells li { min-width: 0; overflow-wrap: anywhere; }
.cells li { border: 1px solid var(--line); border-radius: 5px; padding: 0 .45rem; background: var(--page); font-variant-numeric: tabular-nums; scroll-margin-top: 5rem; }
.cells p { margin: 0; max-width: none; }
.cells li a { color: inherit; text-decoration: none; }
.cells li a:hover { text-decoration: underline; }
.cells :target { background: var(--mark); border-color: var(--hit-line); font-weight: 650; }
.why { margin: .6rem 0; font-size: .92rem; }
.why div { display: grid; grid-template-columns: 6.6rem minmax(0, 1fr); gap: .8rem; padding: .14rem 0; }
.why dt { color: var(--soft); }
.why dd { margin: 0; overflow-wrap: anywhere; max-width: 84ch; }
.attempts li { margin: .3rem 0; }
details { margin: .5rem 0 0; }
summary { cursor: pointer; font-size: .9rem; width: fit-content; padding: .1rem 0; }
summary .soft { margin-left: .3rem; }
details[open] > summary { margin-bottom: .35rem; }
.log { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; max-height: 26rem; font-size: .8rem; }
.log .src { color: var(--link); }
.log b { font-weight: 650; }
.answer .list { font-size: .85rem; }
.answer .list td.wrap { min-width: 18rem; }
.wrong { background: var(--hit); }
.declaration { font-size: .95em; margin-top: .2rem; white-space: pre-wrap; }
.digest { overflow-wrap: anywhere; }
.repeat { display: flex; flex-wrap: wrap; gap: .4rem .7rem; align-items: center; border-top: 1px solid var(--line); margin: .9rem -1.1rem -.9rem; padding: .5rem 1.1rem; font-size: .88rem; }
.repeat code { overflow-wrap: anywhere; min-width: 0; user-select: all; }
.listing { border: 1px solid var(--line); border-radius: 8px; background: var(--panel); overflow: auto; max-height: 44rem; padding: .6rem 0; font-size: .84rem; line-height: 1.55; tab-size: 4; }
.line { display: grid; grid-template-columns: 3.6rem minmax(max-content, 1fr); }
.line > span { color: var(--soft); text-align: right; padding-right: 1.1rem; font-family: var(--mono); font-size: .89em; user-select: none; }
.line code { white-space: pre; padding-right: 1.2rem; }
.line em { font-style: normal; font-family: var(--sans); color: var(--soft); grid-column: 2; max-width: 52ch; padding: 0 1rem .15rem 0; line-height: 1.35; }
.line.hit { background: var(--hit); box-shadow: inset 3px 0 var(--hit-line); }
.line.hit em { color: var(--ink); }
.line:target { background: var(--mark); }
.columns { columns: 26rem auto; column-gap: 2.5rem; }
.facts-of { margin-bottom: 1.4rem; }
.facts-of h3 { margin-bottom: .3rem; break-after: avoid; }
.facts-of .list { width: 100%; font-size: .85rem; }
.facts-of tr { break-inside: avoid; }
.facts-of th, .facts-of td { overflow-wrap: anywhere; font-family: var(--mono); font-size: .94em; }
.facts-of th { min-width: 12rem; }
.facts-of h3 code { font-weight: 400; color: var(--soft); margin-left: .4rem; }
.facts-of td span { font-family: var(--sans); }
.named { max-width: none; line-height: 1.9; }
.named .badge { margin-right: .3rem; }
.yes { color: var(--good-text); font-weight: 600; }
@media (max-width: 40rem) {
  .why div { grid-template-columns: minmax(0, 1fr); gap: 0; padding: .25rem 0; }
  .answer { padding: .75rem .8rem; }
  .repeat { margin: .75rem -.8rem -.75rem; padding: .5rem .8rem; }
  .turn { float: none; margin-left: .8rem; }
  .line { grid-template-columns: 2.6rem minmax(max-content, 1fr); }
  .line > span { padding-right: .7rem; }
  .facts-of table, .facts-of tbody, .facts-of tr { display: block; }
  .facts-of tr { display: flex; justify-content: space-between; gap: 1rem; border-bottom: 1px solid var(--line); }
  .facts-of th, .facts-of td { border: 0 !important; padding: .2rem 0 !important; }
  .facts-of td { min-width: 0; text-align: right; }
  .columns { columns: auto; }
  .facts-of th { min-width: 0; }
}
@media print { .log, .listing { max-height: none; overflow: visible; white-space: pre-wrap; } .answer { break-inside: avoid-page; } }
`;
