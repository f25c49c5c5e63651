/** Opens what the address's fragment names, now and whenever it changes. */
function startTargets(): void {
  addEventListener('hashchange', openTarget);
  openTarget();
}

/** Whatever folds the target away is opened; only then can it be scrolled to. */
function openTarget(): void {
  const target = document.getElementById(fragment());
  if (target === null) return;
  const folded: HTMLDetailsElement[] = [];
  const inside = target instanceof HTMLDetailsElement ? target : target.querySelector(':scope > details');
  if (inside instanceof HTMLDetailsElement) folded.push(inside);
  for (let around = target.parentElement; around !== null; around = around.parentElement) {
    if (around instanceof HTMLDetailsElement) folded.push(around);
  }
  const closed = folded.filter((details) => !details.open);
  for (const details of closed) details.open = true;
  if (closed.length > 0) target.scrollIntoView();
}

/** The address's fragment, without `#` and decoded; as it stands if it cannot be. */
function fragment(): string {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
