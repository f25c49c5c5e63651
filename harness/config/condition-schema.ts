import { z } from 'zod';
import { complainOfCondition, EXAMPLES, type FactCondition } from './fact-condition.ts';
import { FACTS, type Fact } from './fact-registry.ts';

export const versionRangeSchema = z
  .string()
  .describe('Kernel versions: ">=6.2 <6.15", "6.12" (every 6.12.x), "||" between alternatives.');

/** What a condition asks: of the kernel's version, of the variant, and of any fact by its name. */
export interface Condition {
  readonly kernel?: string | undefined;
  /** Several: any of them. */
  readonly variant?: string | readonly string[] | undefined;
  readonly [fact: string]: FactCondition | readonly string[] | undefined;
}

/** The keys of a condition, which an exception has among its own. */
export const conditionShape: Readonly<Record<string, z.ZodType<Condition[string]>>> = {
  kernel: versionRangeSchema.optional(),
  variant: z
    .union([z.string(), z.array(z.string()).min(1)])
    .optional()
    .describe('Name of a variant in matrix.yaml, or names, of which one holds.'),
  ...Object.fromEntries(FACTS.map((fact) => [fact.name, factSchema(fact)])),
};

export const conditionSchema: z.ZodType<Condition> = z
  .strictObject(conditionShape)
  .describe('All of what is named must hold.')
  .meta({ id: 'condition' });

function factSchema(fact: Fact): z.ZodType<FactCondition | undefined> {
  const error = `${fact.name} is compared with one value, such as ${EXAMPLES[fact.type]}`;
  return z
    .union([z.boolean(), z.number(), z.string()], { error })
    .superRefine((wanted, context) => {
      const message = complainOfCondition(fact, wanted);
      if (message !== undefined) context.addIssue({ code: 'custom', message });
    })
    .optional()
    .describe(fact.about);
}
