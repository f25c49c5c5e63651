/** What the filters are set to. */
interface FilterState {
  readonly text: string;
  readonly red: boolean;
  readonly changed: boolean;
  readonly eol: boolean;
  /** The name of a class; empty for all. A name rather than its number, which may be another in the next report. */
  readonly class: string;
}

/** The filters as a fragment, without `#`: `red&class=verifier-rejected`. Empty if nothing is filtered. */
function stateToFragment(state: FilterState): string {
  const parts = (['red', 'changed', 'eol'] as const).filter((name) => state[name]).map(String);
  if (state.class !== '') parts.push(`class=${encodeURIComponent(state.class)}`);
  if (state.text.trim() !== '') parts.push(`text=${encodeURIComponent(state.text.trim())}`);
  return parts.join('&');
}

/** Reads filters from a fragment; whatever it does not know counts for nothing. */
function fragmentToState(text: string): FilterState {
  const parts = new URLSearchParams(text);
  return {
    text: parts.get('text') ?? '',
    red: parts.has('red'),
    changed: parts.has('changed'),
    eol: parts.has('eol'),
    class: parts.get('class') ?? '',
  };
}

/** The form's fields, as far as the page has them. */
interface FilterFields {
  readonly form: HTMLFormElement;
  readonly text: HTMLInputElement | null;
  readonly red: HTMLInputElement | null;
  readonly changed: HTMLInputElement | null;
  readonly eol: HTMLInputElement | null;
  readonly class: HTMLSelectElement | null;
}

function readFields(form: HTMLFormElement): FilterFields {
  const input = (name: string): HTMLInputElement | null => form.querySelector(`input[name="${name}"]`);
  return {
    form,
    text: input('text'),
    red: input('red'),
    changed: input('changed'),
    eol: input('eol'),
    class: form.querySelector('select[name="class"]'),
  };
}

function fieldsToState(fields: FilterFields): FilterState {
  return {
    text: fields.text?.value ?? '',
    red: fields.red?.checked ?? false,
    changed: fields.changed?.checked ?? false,
    eol: fields.eol?.checked ?? false,
    class: (fields.class?.value ?? '') === '' ? '' : (fields.class?.selectedOptions[0]?.textContent.trim() ?? ''),
  };
}

/** Puts a state into the form. A class that this report does not have is none. */
function stateToFields(state: FilterState, fields: FilterFields): void {
  if (fields.text !== null) fields.text.value = state.text;
  for (const name of ['red', 'changed', 'eol'] as const) {
    const field = fields[name];
    if (field !== null) field.checked = state[name];
  }
  if (fields.class !== null) {
    const option = [...fields.class.options].find(({ value, text }) => value !== '' && text.trim() === state.class);
    fields.class.value = option?.value ?? '';
  }
}
