import { join } from 'node:path';
import { z } from 'zod';
import { readYamlFile } from '../config/yaml-file.ts';
import { PACKAGE_ROOT } from '../package-root.ts';

/** What people know of the corpus, beside the results. */
export const EXPECTATIONS_PATH = join(PACKAGE_ROOT, 'harness', 'corpus', 'expectations.yaml');

const objects = z.array(z.string()).min(1);

const expectationsSchema = z.strictObject({
  /** Objects that no loader should take, and the code of the error that says so. */
  mustFail: z.array(z.strictObject({ objects, code: z.string(), why: z.string() })),
  /** Objects that are parsed, but loaded on no kernel: the verifier takes minutes for them in an emulated machine. */
  tooHeavy: z.strictObject({ objects, why: z.string() }),
  /** Why we and libbpf do not agree. */
  causes: z.array(
    z.strictObject({
      objects,
      /** Only these programs. */
      programs: z.array(z.string()).optional(),
      /** Only on these kernels. */
      kernels: z.array(z.string()).optional(),
      /** Which of the two loads it. */
      loads: z.enum(['libbpf', 'ours']),
      why: z.string(),
    }),
  ),
});

/** `*` stands for anything in names of objects. */
export type Expectations = z.infer<typeof expectationsSchema>;

/** @throws ConfigError for a file that is not as it should be */
export async function readExpectations(path: string = EXPECTATIONS_PATH): Promise<Expectations> {
  return (await readYamlFile(path, expectationsSchema)).value;
}

/** Whether one of the patterns stands for a name. */
export function matches(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`).test(name);
  });
}
