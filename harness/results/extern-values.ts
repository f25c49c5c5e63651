import type { ExternResult } from './results.ts';

/** What an extern is to the program: a typeless one at address 0 is NULL, whatever the loader calls it. */
export function nullAtZero({ result, address }: Pick<ExternResult, 'result' | 'address'>): ExternResult['result'] {
  return result === 'address' && address === '0x0' ? 'null' : result;
}
