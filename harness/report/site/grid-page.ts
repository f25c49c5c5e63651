/*
 * What the pages promise to the scripts in client/, and nothing else of their markup is to be relied upon.
 *
 * Grid (index.html, loader-SLUG.html):
 *   <form id="filters" hidden>            shown by the script; without one it stays away
 *     <input type="search" name="text">   any part of a program's name, variant or title, or of a kernel's name
 *     <input type="checkbox" name="red">      only rows and columns with red cells
 *     <input type="checkbox" name="changed">  only what differs from the base run; absent without one
 *     <input type="checkbox" name="eol">      hide end-of-life kernels; absent if there is none
 *     <select name="class">               value "" for all, else the N of data-c; the option's text is the class's name
 *     <button type="reset">
 *     <output id="shown" aria-live="polite">  empty; the script says how much is shown
 *   <table id="grid" data-sparse?>
 *     thead: one row; its first cell is the corner, then for each kernel
 *       <th data-k="NAME" data-eol?><a href="kernels/SLUG.html">
 *     one tbody for each program, in it one row for each variant:
 *       <tr data-program="NAME" data-variant="NAME" data-title="TITLE" data-a="~VARIANT~LOADER" data-red? data-changed?>
 *         <th scope="row"><a href="programs/SLUG.html">
 *         <td class="L" data-c="N"? data-d="KIND"?>   one for each kernel, in the order of the heads
 *       L is the verdict's letter in VERDICT_LETTERS (results/history.ts), `n` if the cell was not run;
 *       data-c is there if its class is not `ok`; data-d is the kind of its change since the base run, if it changed.
 *       In it is a link to the cell's address. With data-sparse (a site of very many cells) only red and changed cells have one;
 *       the address of any other is HREF-OF-ROW + '#' + SLUG-OF-KERNEL + data-a, the slug being that of the head's href.
 *   Filters hide with the attribute `hidden` on tr, tbody, th and td.
 *
 * Other pages:
 *   <button type="button" class="copy" hidden data-copy="ID">   shown by the script; copies the text of the element with that id
 *   <details> may hold the element that the address's fragment names: open it, and scroll there.
 */
export {};
