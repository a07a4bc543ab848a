import { InvalidEvent } from './invalid-event';

/** Largest value of one of our messages, in bytes. Kafka's own limit is higher, so that a larger one can still become a dead letter. */
export const VALUE_MAX_BYTES = 256 * 1024;
export const DEPTH_MAX = 32;
const FORBIDDEN = ['__proto__', 'constructor', 'prototype'];

/**
 * Bytes to a JSON object, or `InvalidEvent`, whatever the bytes. Depth is measured on the bytes, before anything recursive
 * can see the value: 5,000 nested arrays in 10 kB parse, and then overflow the stack of whatever walks them.
 */
export function parseJsonObject(value: Buffer | null | undefined): object {
  if (value === null || value === undefined) throw new InvalidEvent('null_value', 'the message has no value');
  if (value.length === 0) throw new InvalidEvent('empty', 'the value has no bytes');
  if (value.length > VALUE_MAX_BYTES) throw new InvalidEvent('too_large', `${value.length} bytes; at most ${VALUE_MAX_BYTES} are read`);
  const depth = depthOf(value);
  if (depth > DEPTH_MAX) throw new InvalidEvent('too_deep', `nested deeper than ${DEPTH_MAX}`);
  const text = value.toString('utf8');
  const parsed = parseText(text);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new InvalidEvent('not_an_object', 'the value is JSON, but not an object');
  refuseForbiddenKeys(text, parsed);
  return parsed;
}

/** Deepest nesting of brackets outside strings; stops counting one past the limit. */
export function depthOf(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (inString) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > deepest) deepest = depth;
      if (deepest > DEPTH_MAX) return deepest;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return deepest;
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new InvalidEvent('not_json', error instanceof Error ? error.message : String(error));
  }
}

/** By their letters, or by escapes that may spell them: a text with neither has no such key, and needs no walk. */
const MAY_BE_FORBIDDEN = /__proto__|constructor|prototype|\\u/;

/** `value` is what the text says. Depth is bounded by now, so recursion is safe. Throws `InvalidEvent`. */
export function refuseForbiddenKeys(text: string, value: unknown): void {
  if (MAY_BE_FORBIDDEN.test(text)) walk(value);
}

function walk(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const key of Object.keys(value)) {
    if (FORBIDDEN.includes(key)) throw new InvalidEvent('forbidden_key', `the key "${key}" is not allowed anywhere`);
    walk((value as Record<string, unknown>)[key]);
  }
}
