/** Something that is put into the guest's file system. `path` is absolute. Folders above it are made. */
export type GuestFile =
  | { readonly kind: 'file'; readonly path: string; readonly source: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'folder'; readonly path: string };
