import type { JsonSchema } from './fields';

/**
 * What would break those who rely on a published schema: a subscriber must be able to read what is now sent, and what was sent before must
 * still be readable. Optional additions are fine; everything else is a new version beside the old one. Gives a sentence for each break.
 */
export function incompatibilities(before: JsonSchema, after: JsonSchema, path = ''): string[] {
  const breaks: string[] = [];
  const [from, to] = [branches(before), branches(after)];
  if (from.nullable !== to.nullable) breaks.push(`${path || 'the event'} ${to.nullable ? 'may now be absent' : 'must now be there'}`);
  const names = new Set([...Object.keys(from.schema), ...Object.keys(to.schema)]);
  names.delete('properties');
  names.delete('required');
  // Items that came or went altogether are compared as they stand.
  if (from.schema['items'] && to.schema['items']) names.delete('items');
  for (const name of names) {
    if (JSON.stringify(from.schema[name]) !== JSON.stringify(to.schema[name]))
      breaks.push(`${path || 'the event'}: ${name} was ${JSON.stringify(from.schema[name])} and is ${JSON.stringify(to.schema[name])}`);
  }
  if (from.schema['items'] && to.schema['items'])
    breaks.push(...incompatibilities(from.schema['items'] as JsonSchema, to.schema['items'] as JsonSchema, `${path}[]`));
  const [old, now] = [propertiesOf(from.schema), propertiesOf(to.schema)];
  for (const [name, schema] of Object.entries(old)) {
    const here = path ? `${path}.${name}` : name;
    const next = now[name];
    if (!next) breaks.push(`${here} is gone`);
    else breaks.push(...incompatibilities(schema, next, here));
  }
  for (const [name, schema] of Object.entries(now)) {
    if (!old[name] && !branches(schema).nullable) breaks.push(`${path ? `${path}.${name}` : name} is new and required`);
  }
  return breaks;
}

const propertiesOf = (schema: JsonSchema): Record<string, JsonSchema> =>
  (schema['properties'] as Record<string, JsonSchema> | undefined) ?? {};

/** An optional field is `anyOf: [schema, null]`. */
function branches(schema: JsonSchema): { schema: JsonSchema; nullable: boolean } {
  const anyOf = schema['anyOf'] as JsonSchema[] | undefined;
  return anyOf ? { schema: anyOf[0] as JsonSchema, nullable: true } : { schema, nullable: false };
}
