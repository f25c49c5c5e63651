import t from 'tap';
import type { ExternSpec } from '../../../loader/object/spec.ts';
import { FakeAgent } from '../../../loader/syscall/test/fake-agent.ts';
import { initramfsPlace } from '../../guest/guest-place.ts';
import type { AdapterAnswer } from '../../loaders/adapter-answer.ts';
import { BoundedText } from '../../loaders/bounded-text.ts';
import { GuestLoaders } from '../../loaders/guest-loaders.ts';
import type { Observation, ObservedLoad } from '../../loaders/observation.ts';
import { prepareLoaders } from '../../loaders/prepare-loaders.ts';
import type { LoaderRun } from '../../loaders/run-loader.ts';
import { withToldExterns } from '../../loaders/told-externs.ts';
import { describeLoaderRun, printedBy } from '../loader-outcome.ts';
import { SPEC } from './fake-machine.ts';

const ANSWER: AdapterAnswer = {
  protocol: 1,
  loader: { name: 'other', version: '1.0' },
  opened: true,
  loaded: false,
  failure: { phase: 'load', errno: 'ESRCH', message: 'first words\nwhat it means' },
  programs: [{ name: 'main', loaded: false, errno: null, message: null, verifierLog: null }],
  runs: [],
  messages: ['first words', 'what it means', 'cannot load'],
};

const RUN: LoaderRun = {
  answer: ANSWER,
  fault: null,
  exitCode: 0,
  signal: null,
  timedOut: false,
  stdout: '{}',
  stderr: '',
  observation: null,
};

const LOADER = {
  name: 'other-1',
  classify: (message: string) =>
    message === 'what it means' ? ({ class: 'ksym-not-in-btf', extern: 'x' } as const) : null,
};

const load = (name: string, errno: number, verifierLog = ''): ObservedLoad => ({
  ...{ name, errno, verifierLog, programType: 1, slots: 1, instructions: new Uint8Array(8) },
  ...{ descriptors: [], btfIds: new Map() },
});

const observed = (...loads: ObservedLoad[]): Observation => ({
  ...{ loads, maps: [], btfIds: new Map(), btfLoads: [], left: 0, complete: true },
});

const describe = (run: Partial<LoaderRun>) => describeLoaderRun({ ...RUN, ...run }, SPEC, LOADER, 60);
const EACCES = 13;

t.test("who refused an object is told by what the kernel was asked, and else by the loader's words", (t) => {
  t.equal(describe({ answer: { ...ANSWER, loaded: true, failure: null } }), null, 'loaded');
  t.same(describe({}), {
    phase: 'resolve',
    class: 'ksym-not-in-btf',
    message: 'other-1: first words\nwhat it means',
    errno: 'ESRCH',
    extern: 'x',
  });
  const tried = observed(load('', EACCES, 'a probe'), load('main', EACCES), load('main', EACCES, 'R1 is bad\n'));
  t.same(
    describe({ observation: tried }),
    {
      phase: 'load',
      class: 'verifier-rejected',
      message: 'other-1: the kernel does not load the program: main: EACCES: R1 is bad',
      errno: 'EACCES',
      program: 'main',
      verifierLog: 'R1 is bad\n',
    },
    'with the log of the second try',
  );
  t.match(describe({ observation: observed(load('main', EACCES), load('main', 0)) }), { class: 'ksym-not-in-btf' });
  t.match(
    describe({ observation: observed(load('test', EACCES, 'no')) }),
    { class: 'ksym-not-in-btf' },
    'a refused probe',
  );
  t.match(describe({ observation: observed(load('main', 1)) }), {
    phase: 'load',
    class: 'load-refused',
    errno: 'EPERM',
  });
  const missing = "ldimm64 failed to find the address for kernel symbol 'x'.\n";
  t.match(describe({ observation: observed(load('main', 2, missing)) }), {
    class: 'ksym-address-unavailable',
    extern: 'x',
  });
  const programs = [{ name: 'main', loaded: false, errno: 'EINVAL', message: null, verifierLog: 'no such helper' }];
  t.match(
    describe({ answer: { ...ANSWER, programs } }),
    { phase: 'load', class: 'verifier-rejected', errno: 'EINVAL', program: 'main' },
    'what the adapter tells, where nobody watched',
  );
  t.match(describe({ answer: { ...ANSWER, failure: null, messages: ['odd'] } }), {
    phase: 'resolve',
    class: 'loader-refused',
    message: 'other-1: odd',
  });
  t.end();
});

t.test('a loader without a protocol is told by its exit code, and in the words that are understood', (t) => {
  const silent = { answer: null, stdout: '', stderr: '' };
  t.equal(describe(silent), null);
  t.match(describe({ ...silent, exitCode: 3 }), {
    class: 'loader-refused',
    message: 'other-1: ended with 3, and said nothing',
  });
  const stderr = 'beginning\nwhat it means\ngiving up\n';
  t.match(describe({ ...silent, exitCode: 1, stderr }), {
    class: 'ksym-not-in-btf',
    message: 'other-1: what it means',
  });
  t.match(describe({ ...silent, exitCode: 1, stdout: 'so\nso\n' }), {
    class: 'loader-refused',
    message: 'other-1: so',
  });
  t.same(printedBy({ ...RUN, ...silent, stdout: 'out', stderr: 'error\n' }), { log: 'error\nout\n', document: null });
  t.same(printedBy({ ...RUN, stderr: 'note\n' }), {
    log: 'first words\nwhat it means\ncannot load\nnote\n',
    document: '{}',
  });
  t.end();
});

t.test('a loader that says that it is done is held against what the kernel was asked', (t) => {
  const done = { answer: null, stdout: '', stderr: '', exitCode: 0 };
  t.match(describe({ ...done, observation: observed() }), {
    phase: 'resolve',
    class: 'loader-crashed',
    message: 'other-1 says that all was loaded, and the kernel was asked for no program until it ended',
  });
  const answer = { ...ANSWER, loaded: true, failure: null };
  t.match(describe({ answer, observation: observed() }), { class: 'loader-crashed' }, 'a document changes nothing');
  t.equal(
    describe({ ...done, observation: observed(load('__loader.prog', 0)) }),
    null,
    'a program that loads programs',
  );
  t.equal(describe({ ...done, observation: { ...observed(), complete: false } }), null, 'who knows what it did');
  t.match(describe({ ...done, exitCode: 1, observation: observed(load('main', 0)) }), {
    phase: 'load',
    class: 'loader-refused',
    message: 'other-1: ended with 1, and said nothing; the kernel refused none of its programs',
  });
  t.end();
});

t.test('of programs whose names begin alike, the one that the loader tells of was refused', (t) => {
  const [first = raise()] = SPEC.programs;
  const names = ['sleepable_access_in_array', 'sleepable_access_in_hash'];
  const spec = { ...SPEC, programs: names.map((name) => ({ ...first, name })) };
  const programs = names.map((name, index) => ({
    ...{ name, loaded: false, errno: 'EPERM', verifierLog: null },
    message: index === 0 ? `program ${name}: not permitted` : null,
  }));
  const run = { ...RUN, answer: { ...ANSWER, programs }, observation: observed(load('sleepable_acces', 1)) };
  t.match(describeLoaderRun(run, spec, LOADER, 60), { program: names[0], class: 'load-refused' });
  t.end();
});

function raise(): never {
  throw new TypeError('no program');
}

t.test('addresses that a loader tells count where its calls showed none', (t) => {
  const extern = (name: string, kind: ExternSpec['kind']) => ({ name, kind, weak: false, typeId: 0 });
  const externs = [extern('seen', 'typeless'), extern('told', 'typeless'), extern('zero', 'typeless')];
  const seen = { name: 'seen', kind: 'typeless', weak: false, result: 'address', address: '0x1' } as const;
  const told = ['seen', 'told', 'typed', 'nobody'].map((name) => ({ name, address: '0x00ff' }));
  const all = { externs: [...externs, extern('typed', 'typed')] };
  t.same(withToldExterns(all, [seen], [...told, { name: 'zero', address: '0x0' }]), [
    seen,
    { name: 'told', kind: 'typeless', weak: false, result: 'address', address: '0xff' },
    { name: 'zero', kind: 'typeless', weak: false, result: 'null' },
  ]);
  t.same(withToldExterns(all, [seen]), [seen]);
  t.end();
});

t.test('a loader that breaks is no verdict on the object, and how far it came is told', (t) => {
  const broken = { answer: null, exitCode: null, stderr: 'a\nlast\n' };
  t.match(describe({ ...broken, timedOut: true }), {
    phase: 'resolve',
    class: 'loader-timeout',
    message: /did not end within 60 s .*: last$/,
  });
  t.match(describe({ ...broken, signal: 'SIGSEGV', observation: observed(load('main', 0)) }), {
    phase: 'load',
    class: 'loader-crashed',
    message: /SIGSEGV/,
  });
  t.match(describe({ ...broken, exitCode: 0, fault: 'it printed nothing' }), { class: 'loader-crashed' });
  t.end();
});

t.test('of too much output the middle is left out, and it says how much', (t) => {
  const text = new BoundedText(4, 8);
  for (const part of ['ab', 'cdef', 'ghijklmn', 'the end']) text.add(new TextEncoder().encode(part));
  t.equal(text.text, 'abcd\n... 9 bytes are left out here ...\nnthe end');
  const short = new BoundedText();
  for (const part of ['one', '', ' two']) short.add(new TextEncoder().encode(part));
  t.equal(short.text, 'one two');
  t.end();
});

t.test('a process that a loader has left is found; one that is ending is waited for', async (t) => {
  const WAIT4 = 61;
  const answers: (number | string)[] = [];
  const nothing = { stdout: new Uint8Array(), stderr: new Uint8Array() };
  const ended = { exitCode: 0, signal: null, timedOut: false, ...nothing };
  const agent = Object.assign(new FakeAgent((call) => (call.number === WAIT4 ? (answers.shift() ?? 0) : 0)), {
    execute: async () => ended,
  });
  const guest = new GuestLoaders(initramfsPlace(agent), process.execPath);
  t.equal(await guest.leftProcess(), false, 'before the first loader nobody asks');
  await guest.bring({ files: [], argv: () => ['/x'], speaks: 'either', classify: () => null }, '/x');
  answers.push(0, 77, 'ECHILD');
  t.equal(await guest.leftProcess(), false, 'it ended meanwhile');
  t.equal(answers.length, 0);
  t.equal(await guest.leftProcess(), true);
});

t.test('a loader that cannot be had is told among the others; an interrupt is none of its faults', async (t) => {
  const path = t.testdir();
  const options = { cache: path, ownVersion: '1.2.3', mirror: undefined, onMessage: () => undefined };
  const wanted = [
    { name: 'ksym-matrix', request: { kind: 'ksym-matrix' } as const },
    { name: 'mine', request: { kind: 'libbpf', path } as const },
  ];
  const { loaders, observer } = await prepareLoaders(wanted, { ...options, signal: new AbortController().signal });
  t.match(loaders, [
    { name: 'ksym-matrix', version: '1.2.3', unavailable: null },
    { name: 'mine', family: 'libbpf', program: null, unavailable: /libbpf\.a and libbpf\.h cannot be found in it/ },
  ]);
  t.equal(observer, null, 'nobody is there to be watched');
  const reason = new Error('stop');
  await t.rejects(prepareLoaders(wanted, { ...options, signal: AbortSignal.abort(reason) }), reason);
});
