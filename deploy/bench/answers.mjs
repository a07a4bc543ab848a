// Reads answers off a socket, one at a time: nothing is pipelined.
const END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: (\d+)/i;
const CLICK_ID = /[?&]click_id=([A-Za-z0-9_-]{32})(?:[&#]|$)/;

/** Gives `undefined` while the answer is not whole, else its status and head. Throws on what is no answer to one request. */
export function answerIn(text) {
  const end = text.indexOf(END);
  if (end < 0) {
    if (text.length > 65_536) throw new Error('64 kB of headers and no end');
    return undefined;
  }
  const head = text.slice(0, end + 2);
  const length = LENGTH.exec(head);
  if (!head.startsWith('HTTP/1.1 ') || !length) throw new Error(`not an answer with a length: ${head.slice(0, 200)}`);
  const size = end + END.length + Number(length[1]);
  if (text.length < size) return undefined;
  if (text.length > size) throw new Error(`${text.length - size} bytes behind the answer to the only request`);
  return { status: Number(head.slice(9, 12)), head };
}

const patterns = new Map();

/** The value of a header, or undefined. `name` holds letters and hyphens alone. */
export function headerIn(head, name) {
  if (!patterns.has(name)) patterns.set(name, new RegExp(`\\r\\n${name}: ([^\\r]*)`, 'i'));
  return patterns.get(name).exec(head)?.[1];
}

/** The click id that the visitor takes along, or null. */
export const clickIdIn = (location) => CLICK_ID.exec(location)?.[1] ?? null;
