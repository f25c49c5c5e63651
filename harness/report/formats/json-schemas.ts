import { z } from 'zod';
import { historySchema } from '../../results/history-schema.ts';
import { resultsSchema } from '../../results/schema.ts';
import { compatSchema } from './compat-schema.ts';

/** The JSON schemas of what a run and its reports write, by file name. Draft 7, as that of matrix.yaml. Parts that they do not name are allowed. */
export function reportSchemas(): Record<string, string> {
  return {
    'results.schema.json': toText(resultsSchema, 'Results of a run of ksym-matrix'),
    'compat.schema.json': toText(compatSchema, 'Since and until when programs work, by ksym-matrix'),
    'history.schema.json': toText(historySchema, 'What the history of ksym-matrix keeps of a run'),
  };
}

function toText(schema: z.ZodType, title: string): string {
  return `${JSON.stringify({ title, ...z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) }, undefined, 2)}\n`;
}
