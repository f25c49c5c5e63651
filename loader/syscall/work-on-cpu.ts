import type { AgentConnection } from '../agent/connection.ts';
import { runOnCpu } from './cpus.ts';

const turns = new WeakMap<AgentConnection, Promise<unknown>>();

/**
 * Binds the agent to a CPU and does `work` there, one after the other: of two that ask at the same time, neither moves the agent away before the
 * other's work is done. Throws as {@link runOnCpu}, and what `work` throws.
 */
export function workOnCpu<T>(agent: AgentConnection, cpu: number, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(agent) ?? Promise.resolve()).then(async () => {
    await runOnCpu(agent, cpu);
    return work();
  });
  turns.set(
    agent,
    turn.catch(() => undefined),
  );
  return turn;
}
