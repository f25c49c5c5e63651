/** How long a button says what came of it, in milliseconds. */
function confirmationTime(): number {
  return 2000;
}

/** Shows the copy buttons, and speaks what came of pressing one. */
function startCopyButtons(): void {
  const buttons = document.querySelectorAll<HTMLButtonElement>('button.copy[data-copy]');
  if (buttons.length === 0) return;
  const speaker = document.createElement('div');
  speaker.id = 'spoken';
  speaker.setAttribute('role', 'status');
  // Heard, not seen: the button itself shows the same words.
  Object.assign(speaker.style, {
    position: 'fixed',
    width: '1px',
    height: '1px',
    overflow: 'hidden',
    clipPath: 'inset(50%)',
  });
  document.body.append(speaker);
  for (const button of buttons) {
    const label = [...button.childNodes];
    let timer = 0;
    button.hidden = false;
    button.addEventListener('click', () => {
      const source = document.getElementById(button.dataset.copy ?? '');
      if (source === null) return;
      void copyText(source).then((copied) => {
        const words = copied ? 'Copied' : 'Selected: press Ctrl+C';
        button.textContent = words;
        speaker.textContent = words;
        clearTimeout(timer);
        timer = setTimeout(() => {
          button.replaceChildren(...label);
          speaker.textContent = '';
        }, confirmationTime());
      });
    });
  }
}

/** Whether the text got to the clipboard. It is selected where a page may not write there, so that it can be copied by hand. */
async function copyText(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(source.textContent.trimEnd());
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
