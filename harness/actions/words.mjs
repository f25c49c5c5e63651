// Prints the words of an input one a line: a JSON array of strings, or words with white space between, as `ksym-matrix plan --github` makes.
const [, , text = ''] = process.argv;
const words = /^\s*\[/.test(text) ? fromJson(text) : text.split(/\s+/).filter((word) => word !== '');
const option = words.find((word) => word.startsWith('-'));
if (option !== undefined) refuse(`no name begins with a dash: ${option}`);
process.stdout.write(words.map((word) => `${word}\n`).join(''));

function fromJson(json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    // Said below.
  }
  if (Array.isArray(value) && value.every((word) => typeof word === 'string' && /^[^\n\r]+$/.test(word))) return value;
  return refuse('it begins like a JSON array, and is no array of strings');
}

function refuse(why) {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}
