/** The loader of this project, by its name in results. */
export const OUR_LOADER = 'ksym-matrix';
