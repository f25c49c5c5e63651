import { RED_VERDICTS, type Verdict } from '../results/verdicts.ts';
import type { Paint } from './paint.ts';

/** How each verdict looks: a symbol and a word, red ones in capitals; and one character of its own, for where a word does not fit. */
export const LOOKS: Readonly<Record<Verdict, { readonly text: string; readonly symbol: string }>> = {
  pass: { text: '✔ pass', symbol: '✔' },
  xfail: { text: '○ xfail', symbol: '○' },
  fail: { text: '✖ FAIL', symbol: '✖' },
  xpass: { text: '✖ XPASS', symbol: 'X' },
  panic: { text: '✖ PANIC', symbol: 'P' },
  timeout: { text: '✖ TIMEOUT', symbol: 'T' },
  infra: { text: '! INFRA', symbol: '!' },
  flaky: { text: '~ FLAKY', symbol: '~' },
};

/** What each verdict means, for legends. */
export const MEANINGS: Readonly<Record<Verdict, string>> = {
  pass: 'works, and every value it read is right',
  xfail: 'is refused, exactly as expected',
  fail: 'fails, and should not, or not like this',
  xpass: 'works, and should not',
  panic: 'the kernel crashed',
  timeout: 'the machine fell silent',
  infra: 'the harness or this machine broke: nothing learnt',
  flaky: 'ended differently when it was run again',
};

/** A verdict's symbol and word. */
export function lookOf(verdict: Verdict): string {
  return LOOKS[verdict].text;
}

/** Text in the colour of a verdict. */
export function paintVerdict(verdict: Verdict, text: string, paint: Paint): string {
  if (RED_VERDICTS.has(verdict)) return paint.bad(text);
  return verdict === 'pass' ? paint.good(text) : paint.expected(text);
}
