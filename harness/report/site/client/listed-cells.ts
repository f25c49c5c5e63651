/** Gives a cell that is only named in a list, as on sites of very many cells, the element that its address asks for. */
function startListedCells(): void {
  addEventListener('hashchange', markListedCell);
  markListedCell();
}

function markListedCell(): void {
  const address = fragment();
  if (address === '' || document.getElementById(address) !== null) return;
  for (const list of document.querySelectorAll<HTMLElement>('[data-cells]')) {
    const end = list.dataset.cells ?? '';
    if (!address.endsWith(end)) continue;
    const words = (list.textContent ?? '').split(' ');
    const place = words.indexOf(address.slice(0, -end.length));
    if (place < 0) continue;
    const element = document.createElement('span');
    element.id = address;
    element.textContent = words[place] ?? '';
    list.replaceChildren(`${words.slice(0, place).join(' ')} `, element, ` ${words.slice(place + 1).join(' ')}`);
    // Only going there again makes it the target.
    location.replace(location.href);
    return;
  }
}
