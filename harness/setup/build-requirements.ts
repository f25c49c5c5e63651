import { existsSync } from 'node:fs';
import { BUILD_TOOLS } from '../../kernels/build/tools.ts';
import { findProgram, type Requirement } from './requirements.ts';

/** What compiling kernels takes beside the rest. Only runs with kernels that are built here ask for it. */
export function buildRequirements(): Requirement[] {
  return BUILD_TOOLS.map((tool) => ({
    ...tool,
    find: () => (tool.name.startsWith('/') ? (existsSync(tool.name) ? tool.name : undefined) : findProgram(tool.name)),
  }));
}
