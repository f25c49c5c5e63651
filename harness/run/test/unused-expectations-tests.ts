import t from 'tap';
import type { KnownDifference } from '../../loaders/differences.ts';
import type { PreparedLoader } from '../../loaders/prepared-loader.ts';
import { complainOfUnused } from '../unused-expectations.ts';
import { sampleMatrix, selected } from './samples.ts';

const PREPARED: PreparedLoader = {
  name: 'libbpf-1.5',
  family: 'libbpf',
  version: '1.5.0',
  about: '',
  program: null,
  unavailable: null,
};

const DIFFERENCE: KnownDifference = {
  id: 'libbpf-does-otherwise',
  loader: 'libbpf',
  outcome: 'works',
  what: 'libbpf does something else.',
  why: 'It was written by others than us.',
  source: ['src/libbpf.c 1.5'],
  from: 'matrix',
};

t.test('of a difference about kernels that were not run nothing is said', (t) => {
  const about = (when: KnownDifference['when']): string[] =>
    complainOfUnused(
      {
        matrix: sampleMatrix([], []),
        kernels: [selected('6.12')],
        compiled: [],
        loaders: [PREPARED],
        differences: [{ ...DIFFERENCE, ...(when === undefined ? {} : { when }) }],
      },
      true,
      new Set(),
      new Set(),
      new Map([['6.12', { 'btf.present': true }]]),
    );
  t.match(about(undefined), [/known difference libbpf-does-otherwise applies to no cell any more/]);
  t.match(about({ 'btf.present': true, variant: 'strict' }), [/libbpf-does-otherwise/]);
  t.same(about({ 'btf.present': false }), []);
  t.same(about({ kernel: '<6.1' }), []);
  t.end();
});
