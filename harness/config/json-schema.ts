import { z } from 'zod';
import { differencesFileSchema } from './difference-schema.ts';
import { matrixSchema, programSchema } from './schema.ts';

/** The JSON schemas for editors, by file name. Draft 7, which is what YAML editors understand. */
export function jsonSchemas(): Record<string, string> {
  return {
    'matrix.schema.json': toText(matrixSchema, 'matrix.yaml of ksym-matrix'),
    'program.schema.json': toText(programSchema, 'A program of ksym-matrix'),
    'differences.schema.json': toText(differencesFileSchema, 'Known differences between loaders, for ksym-matrix'),
  };
}

function toText(schema: z.ZodType, title: string): string {
  return `${JSON.stringify({ title, ...z.toJSONSchema(schema, { target: 'draft-7', io: 'input' }) }, undefined, 2)}\n`;
}
