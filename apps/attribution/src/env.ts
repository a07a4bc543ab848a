import { EnvClickIdKeys, EnvWhole, ServiceEnv } from '@baton/platform';

export class Env extends ServiceEnv {
  /** Keys that click ids were signed with, retired ones too for as long as the longest window. */
  @EnvClickIdKeys() CLICK_ID_KEYS!: string;
  /** How long after its receipt a conversion waits for its touch or its link before it is called unattributed. */
  @EnvWhole(0, 86_400_000) PENDING_MS = 60_000;
}
