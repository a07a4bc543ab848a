import { run } from '@baton/platform';
import { compose } from './app.module';
import { Env } from './env';

void run({ service: 'click-redirect', env: Env, compose: (context) => compose(context) });
