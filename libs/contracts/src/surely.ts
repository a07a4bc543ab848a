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
export function isSurely(type: new () => object, value: unknown): boolean {
  let check = compiled.get(type);
  if (!check) compiled.set(type, (check = compile(type) ?? NEVER));
  return check(value);
}

function compile(type: new () => object): Check | null {
  // A default would have to be filled in.
  if (Object.values(new type()).some((value) => value !== undefined)) return null;
  const rules = new Map<string, Rule[]>();
  const conditions = new Map<string, Rule[]>();
  for (const metadata of getMetadataStorage().getTargetValidationMetadatas(type, '', false, false)) {
    const { propertyName: name } = metadata;
    const isCondition = metadata.type === 'conditionalValidation';
    const rule = isCondition ? (metadata.constraints[0] as Rule) : ruleOf(type, metadata);
    if (!rule || metadata.validateIf) return null;
    if (!rules.has(name)) rules.set(name, []);
    if (!isCondition) rules.get(name)?.push(rule);
    else conditions.set(name, [...(conditions.get(name) ?? []), rule]);
  }
  if (rules.size === 0) return null;
  const fields = [...rules].map(([name, own]) => ({ name, own, conditions: conditions.get(name) ?? [] }));
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    for (const name in value) if (!rules.has(name)) return false;
    for (const { name, own, conditions: when } of fields) {
      const one = (value as Record<string, unknown>)[name];
      if (when.every((condition) => condition(value, one)) && !own.every((rule) => rule(value, one))) return false;
    }
    return true;
  };
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
  return (_object, value) => (Array.isArray(value) ? value.every((one) => isSurely(nested(), one)) : isSurely(nested(), value));
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
