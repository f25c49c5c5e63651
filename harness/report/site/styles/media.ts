/** What paper and forced colours need otherwise. Comes last, so that it wins. */
export const MEDIA = `
@media (forced-colors: active) {
  /* Backgrounds and shadows are gone there. */
  .bar nav a[aria-current], .loaders a[aria-current], .answer:has(:target), .cells :target { outline: 2px solid Highlight; outline-offset: -2px; }
  .grid td[data-d], .line.hit, .wrong { outline: 2px solid; outline-offset: -2px; }
}
@media print {
  .bar nav, #theme, .filters, .loaders, .copy, .skip { display: none !important; }
  body { font-size: 9pt; }
  .log, .listing { max-height: none; overflow: visible; }
  .log, .line code { white-space: pre-wrap; overflow-wrap: anywhere; }
  .line { grid-template-columns: 3.6rem minmax(0, 1fr); }
  tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .box { max-height: none; overflow: visible; border: 0; }
  .grid thead th, .grid tbody th, .grid .corner { position: static; }
}
`;
