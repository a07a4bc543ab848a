import { UUID } from '@baton/contracts';
import type { FieldProblem } from '@baton/platform';
import { unstorableIn } from '../domain';
import type { Door } from './door';
import { isObject, problemsOfFields } from './shape';

const SETTINGS_MAX_BYTES = 32 * 1024;
const KEYS_MAX = 200;
const SECRETS_MAX = 5;

/** Everything that is wrong with settings. Those of the door itself may hold `keys`: what stands over them for one key or endpoint. */
export function settingProblems({ name, settings: fields = {} }: Door, settings: unknown, isOfDoor: boolean): FieldProblem[] {
  if (!isObject(settings)) return [{ field: 'settings', problem: `settings of ${name} are an object` }];
  if (JSON.stringify(settings).length > SETTINGS_MAX_BYTES)
    return [{ field: 'settings', problem: `settings are at most ${SETTINGS_MAX_BYTES} bytes` }];
  const unstorable = unstorableIn(settings);
  if (unstorable !== null) return [{ field: unstorable, problem: `${unstorable} holds a character that cannot be stored` }];
  const { keys = {}, ...own } = settings;
  if (!isOfDoor) return problemsOfFields(settings, fields, '');
  return [...problemsOfFields(own, fields, ''), ...problemsOfKeys(keys, fields)];
}

function problemsOfKeys(keys: unknown, fields: NonNullable<Door['settings']>): FieldProblem[] {
  if (!isObject(keys) || Object.keys(keys).length > KEYS_MAX)
    return [{ field: 'keys', problem: `keys must be an object of at most ${KEYS_MAX} ids of API keys` }];
  return Object.entries(keys).flatMap(([id, own]) => {
    const at = `keys.${id}`;
    if (!UUID.test(id)) return [{ field: at, problem: `${at} must be named by the id of an API key` }];
    return isObject(own) ? problemsOfFields(own, fields, at) : [{ field: at, problem: `${at} must be an object` }];
  });
}

/** Never shows what was sent: it may be a secret of another place. */
export function secretProblems({ endpoints }: Door, secrets: unknown): FieldProblem[] {
  const secretIs = endpoints?.secretIs ?? '';
  if (!Array.isArray(secrets) || secrets.length === 0 || secrets.length > SECRETS_MAX)
    return [{ field: 'secrets', problem: `secrets must be a list of 1 to ${SECRETS_MAX}: ${secretIs}` }];
  return secrets.flatMap((secret, i) =>
    typeof secret === 'string' && endpoints?.secret.test(secret)
      ? []
      : [{ field: `secrets[${i}]`, problem: `secrets[${i}] must be ${secretIs}` }],
  );
}
