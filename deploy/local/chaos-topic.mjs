// What stands in a topic, message by message.
import { createHash } from 'node:crypto';

/** Id -> how often it was sent, in which forms (value and headers), and what the value says. */
export function formsOf(messages, idOf = ({ key }) => key.toString()) {
  const found = new Map();
  for (const { key, value, headers } of messages) {
    const data = JSON.parse(value.toString());
    const id = idOf({ key, data });
    const entry = found.get(id) ?? { times: 0, forms: new Set(), data };
    const hash = createHash('sha256').update(value);
    for (const name of Object.keys(headers).sort()) hash.update(`\n${name}: ${headers[name]}`);
    entry.times += 1;
    entry.forms.add(hash.digest('base64'));
    found.set(id, entry);
  }
  return found;
}

/** The first of those for whom something does not hold, else another text. */
export const shown = (wrong, otherwise) =>
  wrong.length === 0
    ? otherwise
    : `${wrong.length} not so: ${wrong
        .slice(0, 3)
        .map((item) => String(Array.isArray(item) ? item[0] : item))
        .join(', ')}`;
