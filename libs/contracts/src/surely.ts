import { getMetadataStorage } from 'class-validator';
import { nestedTypeOf } from './fields';

type Check = (value: unknown) => boolean;
type Metadata = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];
type Rule = (holder: object, value: unknown) => boolean;

const compiled = new WeakMap<new () => object, Check>();
const NEVER: Check = () => false;

/**
 * Whether a plain value surely is what a class declares: true where class-validator would find nothing wrong, and class-transformer nothing to
 * change or to leave out. False says nothing: ask them, who also know what to tell people. The rules are theirs, looked up once instead of at
 * every value; what this cannot look up is never sure.
 */
export const isSurely = (type: new () => object, value: unknown): boolean => checkOf(type)(value);

function checkOf(type: new () => object): Check {
  let check = compiled.get(type);
  if (!check) compiled.set(type, (check = compile(type) ?? NEVER));
  return check;
}

/** What the fields of a class must be, in the order in which they are looked at. */
interface FieldCheck {
  readonly name: string;
  readonly isOptional: boolean;
  readonly conditions: readonly Rule[];
  readonly rules: readonly Rule[];
}

function compile(type: new () => object): Check | null {
  // A default would have to be filled in.
  if (Object.values(new type()).some((value) => value !== undefined)) return null;
  const fields = new Map<string, { isOptional: boolean; conditions: Rule[]; rules: Rule[] }>();
  for (const metadata of getMetadataStorage().getTargetValidationMetadatas(type, '', false, false)) {
    const { propertyName } = metadata;
    const field = fields.get(propertyName) ?? { isOptional: false, conditions: [], rules: [] };
    fields.set(propertyName, field);
    if (metadata.validateIf) return null;
    if (metadata.name === 'isOptional') field.isOptional = true;
    else if (metadata.type === 'conditionalValidation') field.conditions.push(metadata.constraints[0] as Rule);
    else {
      const rule = ruleOf(type, metadata);
      if (!rule) return null;
      field.rules.push(rule);
    }
  }
  if (![...fields.values()].some(({ rules }) => rules.length > 0)) return null;
  return allFields([...fields].map(([name, field]) => ({ name, ...field })));
}

/** Loops without calls of their own: every event and every request passes here. */
function allFields(fields: readonly FieldCheck[]): Check {
  const names = new Set(fields.filter(({ rules }) => rules.length > 0).map(({ name }) => name));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    for (const name in value) if (!names.has(name)) return false;
    for (const field of fields) {
      const one = (value as Record<string, unknown>)[field.name];
      if (field.isOptional && (one === undefined || one === null)) continue;
      if (field.conditions.length > 0 && !allHold(field.conditions, value, one)) continue;
      if (!allHold(field.rules, value, one)) return false;
    }
    return true;
  };
}

function allHold(rules: readonly Rule[], holder: object, value: unknown): boolean {
  for (const rule of rules) if (!rule(holder, value)) return false;
  return true;
}

function ruleOf(type: new () => object, metadata: Metadata): Rule | null {
  if (metadata.type === 'whitelistValidation') return () => true;
  if (metadata.type === 'nestedValidation') return nestedRule(type, metadata.propertyName);
  if (metadata.type !== 'customValidation') return null;
  const known = knownRule(metadata);
  if (known && metadata.each) return (_object, value) => (Array.isArray(value) ? value.every(known) : known(value));
  if (known) return (_object, value) => known(value);
  const constraints = getMetadataStorage().getTargetValidatorConstraints(metadata.constraintCls);
  if (constraints.length === 0 || constraints.some(({ async }) => async)) return null;
  return (object, value) => {
    const args = { value, constraints: metadata.constraints, targetName: type.name, object, property: metadata.propertyName };
    const holds = (one: unknown): boolean => constraints.every(({ instance }) => instance.validate(one, args) === true);
    return metadata.each && Array.isArray(value) ? value.every(holds) : holds(value);
  };
}

function nestedRule(type: new () => object, name: string): Rule | null {
  const nested = nestedTypeOf(type.prototype as object, name);
  if (!nested) return null;
  // Classes may name each other: asked for when it is needed.
  let check: Check | undefined;
  return (_object, value) => {
    check ??= checkOf(nested());
    return Array.isArray(value) ? value.every(check) : check(value);
  };
}

/** A rule's verdict in fewer words than class-validator needs for it; null: it must be asked itself. */
export function knownRule({ name, constraints, constraintCls }: Pick<Metadata, 'name' | 'constraints' | 'constraintCls'>): Check | null {
  const own = (constraintCls as { sure?: (...of: unknown[]) => Check } | undefined)?.sure;
  return (
    own?.(...((constraints as unknown[] | undefined) ?? [])) ??
    KNOWN[name ?? '']?.((constraints as never[] | undefined)?.[0] as never) ??
    null
  );
}

/** By the name of class-validator's rule, given its first constraint. */
const KNOWN: Readonly<Record<string, (constraint: never) => Check | null>> = {
  isString: () => (value) => typeof value === 'string',
  isBoolean: () => (value) => typeof value === 'boolean',
  isInt: () => Number.isInteger,
  min: (least: number) => (value) => typeof value === 'number' && value >= least,
  max: (most: number) => (value) => typeof value === 'number' && value <= most,
  isIn: (values: readonly unknown[]) => (value) => values.indexOf(value) >= 0,
  isArray: () => Array.isArray,
  arrayMaxSize: (most: number) => (value) => Array.isArray(value) && value.length <= most,
  isObject: () => (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  // A pattern with a memory (g, y) would answer by what it was asked before.
  matches: (pattern: RegExp) =>
    pattern instanceof RegExp && !pattern.global && !pattern.sticky ? (value) => typeof value === 'string' && pattern.test(value) : null,
};
