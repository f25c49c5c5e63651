/** A line by which a step talks to the runner, such as `::error file=a.c,line=3::text`. */
export interface WorkflowCommand {
  readonly command: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly message: string;
}

/**
 * Reads what a step wrote to its standard output as a runner does ("Workflow commands for GitHub Actions"): between `::stop-commands::WORD` and `::WORD::`
 * nothing is a command.
 */
export function readWorkflowCommands(stdout: string): WorkflowCommand[] {
  const commands: WorkflowCommand[] = [];
  let stopped: string | undefined;
  for (const line of stdout.split('\n')) {
    const match = /^\s*::([\w-]+)(?: ([^:]*(?::(?!:)[^:]*)*))?::(.*)$/.exec(line);
    if (stopped !== undefined) {
      if (line.trim() === `::${stopped}::`) stopped = undefined;
    } else if (match !== null) {
      const [, command = '', properties = '', message = ''] = match;
      if (command === 'stop-commands') stopped = message;
      else commands.push({ command, properties: readProperties(properties), message: unescaped(message) });
    }
  }
  return commands;
}

function readProperties(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^([^=]+)=(.*)$/s.exec(pair));
  return Object.fromEntries(pairs.flatMap((match) => (match === null ? [] : [[match[1], unescaped(match[2] ?? '')]])));
}

function unescaped(text: string): string {
  const characters: Record<string, string> = { '25': '%', '0D': '\r', '0A': '\n', '3A': ':', '2C': ',' };
  return text.replaceAll(/%(25|0D|0A|3A|2C)/g, (_, code: string) => characters[code] ?? '');
}
