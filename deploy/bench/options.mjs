import { fail } from './say.mjs';

/** `--rounds 5 --json --connections 1,32`: by the type of each option's default. Throws with what is wrong. */
export function parseOptions(known, args) {
  const options = Object.fromEntries(Object.entries(known).map(([name, option]) => [camel(name), option.default]));
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = args[i].split('=', 2);
    const name = flag.slice(2);
    const option = flag.startsWith('--') ? known[name] : undefined;
    if (!option) fail(`There is no ${args[i]}. Try: npm run bench -- --help`);
    if (option.default === false) options[camel(name)] = true;
    else options[camel(name)] = valueOf(name, option, inline ?? args[++i]);
  }
  return options;
}

function valueOf(name, { default: like, least = 0 }, text) {
  if (text === undefined) fail(`--${name} wants a value`);
  if (typeof like === 'string') return text;
  const numbers = text.split(',').map(Number);
  const wanted = `${Array.isArray(like) ? 'numbers separated by commas' : 'a number'}, ${least} or more`;
  if (numbers.some((number) => !(number >= least))) fail(`--${name} is "${text}"; it wants ${wanted}`);
  return Array.isArray(like) ? numbers : numbers[0];
}

const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
