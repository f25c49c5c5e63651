import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonSchemas } from '../config/json-schema.ts';
import { reportSchemas } from '../report/formats/json-schemas.ts';
import { writeWhole } from '../results/write.ts';
import { EXIT } from './exit-codes.ts';

/** `ksym-matrix schema` */
export async function writeSchemas(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries({ ...jsonSchemas(), ...reportSchemas() }))
    await writeWhole(join(folder, name), text);
  return EXIT.ok;
}
