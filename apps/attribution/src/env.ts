import { parseClickIdKeys } from '@baton/contracts';
import { EnvWhole, ServiceEnv } from '@baton/platform';
import { Validate, ValidatorConstraint, type ValidatorConstraintInterface } from 'class-validator';

@ValidatorConstraint({ name: 'clickIdKeys' })
class ClickIdKeysRule implements ValidatorConstraintInterface {
  validate(value: unknown): boolean {
    try {
      parseClickIdKeys(String(value));
      return true;
    } catch {
      return false;
    }
  }
  defaultMessage(): string {
    return '$property must look like "1:<64 hex digits>[,0:<64 hex digits>…]", the same keys as click-redirect signs with';
  }
}

export class Env extends ServiceEnv {
  /** Keys that click ids were signed with, retired ones too for as long as the longest window. */
  @Validate(ClickIdKeysRule) CLICK_ID_KEYS!: string;
  /** How long after its receipt a conversion waits for its touch or its link before it is called unattributed. */
  @EnvWhole(0, 86_400_000) PENDING_MS = 60_000;
}
