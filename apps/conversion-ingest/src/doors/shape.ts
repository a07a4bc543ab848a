import type { FieldProblem } from '@baton/platform';

/** What a setting may be. Plain values, so that a door's file shows all of its settings at one glance. */
export type Shape =
  | { readonly is: 'text'; readonly like: RegExp; readonly help: string }
  | { readonly is: 'flag' }
  | { readonly is: 'one of'; readonly of: readonly string[] }
  | { readonly is: 'list'; readonly of: Shape; readonly max: number }
  | { readonly is: 'map'; readonly of: Shape; readonly max: number }
  | { readonly is: 'fields'; readonly of: Fields; readonly needs: readonly string[] }
  | { readonly is: 'null or'; readonly of: Shape };
export type Fields = Readonly<Record<string, Shape>>;

/** Any text that says something, up to a length. */
export const text = (max: number): Shape => ({
  is: 'text',
  like: new RegExp(`^[^\\u0000]{1,${max}}$`),
  help: `a text of 1 to ${max} characters`,
});

/** Every problem of a value, each with the path where it lies. */
export function problemsIn(value: unknown, shape: Shape, path: string): FieldProblem[] {
  const problem = (what: string): FieldProblem[] => [{ field: path, problem: `${path} must be ${what}` }];
  switch (shape.is) {
    case 'text':
      return typeof value === 'string' && shape.like.test(value) ? [] : problem(shape.help);
    case 'flag':
      return typeof value === 'boolean' ? [] : problem('true or false');
    case 'one of':
      return shape.of.includes(value as string) ? [] : problem(`one of ${shape.of.join(', ')}`);
    case 'list':
      if (!Array.isArray(value) || value.length > shape.max) return problem(`a list of at most ${shape.max}`);
      return value.flatMap((item, i) => problemsIn(item, shape.of, `${path}[${i}]`));
    case 'map':
      if (!isObject(value) || Object.keys(value).length > shape.max) return problem(`an object of at most ${shape.max} names`);
      return Object.entries(value).flatMap(([name, item]) => problemsIn(item, shape.of, `${path}.${name}`));
    case 'fields':
      if (!isObject(value)) return problem('an object');
      return [
        ...shape.needs
          .filter((name) => !Object.hasOwn(value, name))
          .map((name) => ({ field: `${path}.${name}`, problem: `${path}.${name} is missing` })),
        ...problemsOfFields(value, shape.of, path),
      ];
    case 'null or':
      return value === null ? [] : problemsIn(value, shape.of, path);
  }
}

export function problemsOfFields(value: Readonly<Record<string, unknown>>, fields: Fields, path: string): FieldProblem[] {
  return Object.entries(value).flatMap(([name, item]) => {
    const at = path === '' ? name : `${path}.${name}`;
    const shape = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (shape) return problemsIn(item, shape, at);
    return [{ field: at, problem: `${at} is no setting here; there are ${Object.keys(fields).join(', ') || 'none'}` }];
  });
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
