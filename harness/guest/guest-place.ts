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

/** Whether a path of the host is seen from a place under the same name. */
export function isVisible(place: GuestPlace, path: string): boolean {
  return place.hidden !== null && !place.hidden.some((folder) => path === folder || path.startsWith(`${folder}/`));
}
