import { run } from '@baton/platform';
import { compose } from './app.module';
import { Env } from './env';

void run({ service: 'control-plane', env: Env, compose });
