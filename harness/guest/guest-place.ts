import type { AgentConnection } from '../../loader/agent/connection.ts';

/** Where programs run in a guest: its own files, or the host's root file system. */
export interface GuestPlace {
  readonly agent: AgentConnection;
  /** Path of the guest's own busybox, as seen from this place. */
  readonly busybox: string;
  /** Folders of the host that are not seen from this place: what lies there has to be pushed. Null: nothing of the host is seen. */
  readonly hidden: readonly string[] | null;
}

/** A guest whose files are those of its initramfs. */
export function initramfsPlace(agent: AgentConnection): GuestPlace {
  return { agent, busybox: '/bin/busybox', hidden: null };
}

/** Where {@link installApplets} puts them; it comes last in PATH. */
export const APPLETS = '/run/applets';

/** Gives a guest without the host's files all of busybox's tools, for scripts and shells. Throws AgentError. */
export async function installApplets({ agent, busybox, hidden }: GuestPlace): Promise<void> {
  if (hidden !== null) return;
  const script = '"$1" mkdir -p "$2" && "$1" --install -s "$2"';
  await agent.execute({ argv: [busybox, 'sh', '-c', script, 'sh', busybox, APPLETS] });
}

/** Whether a path of the host is seen from a place under the same name. */
export function isVisible(place: GuestPlace, path: string): boolean {
  return place.hidden !== null && !place.hidden.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
