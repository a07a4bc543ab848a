import { ServiceEnv } from '@baton/platform';

export class Env extends ServiceEnv {}
